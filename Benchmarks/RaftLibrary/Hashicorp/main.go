// How many commands three nodes of hashicorp/raft commit in a second, and how long each takes: three nodes in one
// process, TCP between them, every command flushed on a quorum. The program in ../Martlet takes the same options and
// prints the same JSON object.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"
)

// The most that the library takes; the default is 64.
const maxAppendEntries = 1024

// Entries kept in memory for followers, so that they are not read back from the store.
const cachedEntries = 16384

// Counts commands, so that applying costs as little as it can.
type counter struct{ count int }

func (c *counter) Apply(*raft.Log) interface{} {
	c.count++
	return c.count
}

// The library applies up to maxAppendEntries at once if the machine can.
func (c *counter) ApplyBatch(logs []*raft.Log) []interface{} {
	answers := make([]interface{}, len(logs))
	for i := range logs {
		c.count++
		answers[i] = c.count
	}
	return answers
}

func (c *counter) Snapshot() (raft.FSMSnapshot, error) { return nil, io.EOF }
func (c *counter) Restore(io.ReadCloser) error         { return nil }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

type member struct {
	config    *raft.Config
	bolt      *raftboltdb.BoltStore
	transport *raft.NetworkTransport
}

func newMember(name, directory string) member {
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(name)
	config.MaxAppendEntries = maxAppendEntries
	config.SnapshotThreshold = 1 << 40
	config.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Error})
	path := filepath.Join(directory, name)
	check(os.MkdirAll(path, 0o755))
	bolt, err := raftboltdb.NewBoltStore(filepath.Join(path, "raft.db"))
	check(err)
	transport, err := raft.NewTCPTransport("127.0.0.1:0", nil, 3, 10*time.Second, io.Discard)
	check(err)
	return member{config, bolt, transport}
}

func start(directory string) []*raft.Raft {
	var members []member
	var servers raft.Configuration
	for _, name := range []string{"1", "2", "3"} {
		one := newMember(name, directory)
		members = append(members, one)
		servers.Servers = append(servers.Servers, raft.Server{ID: one.config.LocalID, Address: one.transport.LocalAddr()})
	}
	var nodes []*raft.Raft
	for _, one := range members {
		snapshots := raft.NewDiscardSnapshotStore()
		check(raft.BootstrapCluster(one.config, one.bolt, one.bolt, snapshots, one.transport, servers))
		cache, err := raft.NewLogCache(cachedEntries, one.bolt)
		check(err)
		node, err := raft.NewRaft(one.config, &counter{}, cache, one.bolt, snapshots, one.transport)
		check(err)
		nodes = append(nodes, node)
	}
	return nodes
}

func leader(nodes []*raft.Raft) *raft.Raft {
	for {
		for _, node := range nodes {
			if node.State() == raft.Leader {
				check(node.Barrier(10 * time.Second).Error())
				return node
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Keeps one command under way until the end; answers how long each took.
func propose(node *raft.Raft, command []byte, measureFrom, end time.Time) []time.Duration {
	var times []time.Duration
	for {
		begun := time.Now()
		if !begun.Before(end) {
			return times
		}
		check(node.Apply(command, 0).Error())
		now := time.Now()
		if !now.Before(measureFrom) && now.Before(end) {
			times = append(times, now.Sub(begun))
		}
	}
}

func main() {
	directory := flag.String("dir", "", "directory for the logs")
	size := flag.Int("size", 100, "bytes of a command")
	outstanding := flag.Int("outstanding", 1024, "commands under way, each of a goroutine")
	seconds := flag.Float64("seconds", 3, "seconds to measure")
	warmup := flag.Float64("warmup", 1, "seconds before the measurement")
	flag.Parse()

	node := leader(start(*directory))
	command := make([]byte, *size)
	rand.Read(command)
	measureFrom := time.Now().Add(time.Duration(*warmup * 1e9))
	end := measureFrom.Add(time.Duration(*seconds * 1e9))

	var all []time.Duration
	var lock sync.Mutex
	var group sync.WaitGroup
	for i := 0; i < *outstanding; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			times := propose(node, command, measureFrom, end)
			lock.Lock()
			defer lock.Unlock()
			all = append(all, times...)
		}()
	}
	group.Wait()
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	milliseconds := func(share float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return float64(all[int(share*float64(len(all)-1))].Nanoseconds()) / 1e6
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"commandsPerSecond": float64(len(all)) / *seconds, "p50": milliseconds(0.5), "p99": milliseconds(0.99),
	}))
}
