// How many messages a NATS JetStream cluster acknowledges in a second: a stream with three replicas in files, and the
// Go client's asynchronous publishing, several connections with a window of unacknowledged messages each. Prints a JSON
// object.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"math/rand"
	"os"
	"sort"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const stream = "bench"

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Waits until the cluster has a leader for its metadata, then for the stream.
func createStream(servers string) {
	connection, err := nats.Connect(servers)
	check(err)
	defer connection.Close()
	jetStream, err := connection.JetStream(nats.MaxWait(2 * time.Second))
	check(err)
	deadline := time.Now().Add(30 * time.Second)
	for {
		_, err = jetStream.AddStream(&nats.StreamConfig{
			Name: stream, Subjects: []string{stream}, Storage: nats.FileStorage, Replicas: 3,
		})
		if err == nil {
			_, err = jetStream.Publish(stream, []byte("first"))
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			log.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// One message at a time: without a window there is nothing to do but wait.
func publishInTurn(jetStream nats.JetStreamContext, message []byte, measureFrom, end time.Time) []time.Duration {
	var times []time.Duration
	for {
		begun := time.Now()
		if !begun.Before(end) {
			return times
		}
		_, err := jetStream.Publish(stream, message)
		check(err)
		now := time.Now()
		if !now.Before(measureFrom) && now.Before(end) {
			times = append(times, now.Sub(begun))
		}
	}
}

type sent struct {
	at     time.Time
	future nats.PubAckFuture
}

// Publishes on a connection of its own until the end; answers how long each acknowledgement took that came within the
// measurement.
func publish(servers string, window int, message []byte, measureFrom, end time.Time) []time.Duration {
	connection, err := nats.Connect(servers)
	check(err)
	defer connection.Close()
	jetStream, err := connection.JetStream(nats.PublishAsyncMaxPending(window))
	check(err)
	if window == 1 {
		return publishInTurn(jetStream, message, measureFrom, end)
	}
	underWay := make(chan sent, window)
	go func() {
		defer close(underWay)
		for {
			now := time.Now()
			if !now.Before(end) {
				return
			}
			future, err := jetStream.PublishAsync(stream, message, nats.StallWait(time.Minute))
			check(err)
			underWay <- sent{now, future}
		}
	}()
	var times []time.Duration
	for one := range underWay {
		select {
		case <-one.future.Ok():
		case err := <-one.future.Err():
			log.Fatal(err)
		}
		now := time.Now()
		if !now.Before(measureFrom) && now.Before(end) {
			times = append(times, now.Sub(one.at))
		}
	}
	return times
}

func main() {
	servers := flag.String("servers", "", "addresses, separated by commas")
	size := flag.Int("size", 100, "bytes of a message")
	connections := flag.Int("connections", 8, "connections, each with a publisher")
	window := flag.Int("window", 4000, "unacknowledged messages on each connection")
	seconds := flag.Float64("seconds", 3, "seconds to measure")
	warmup := flag.Float64("warmup", 1, "seconds before the measurement")
	flag.Parse()

	createStream(*servers)
	message := make([]byte, *size)
	rand.Read(message)
	measureFrom := time.Now().Add(time.Duration(*warmup * 1e9))
	end := measureFrom.Add(time.Duration(*seconds * 1e9))

	var all []time.Duration
	var lock sync.Mutex
	var group sync.WaitGroup
	for i := 0; i < *connections; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			times := publish(*servers, *window, message, measureFrom, end)
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
		"recordsPerSecond": float64(len(all)) / *seconds, "p50": milliseconds(0.5), "p99": milliseconds(0.99),
	}))
}
