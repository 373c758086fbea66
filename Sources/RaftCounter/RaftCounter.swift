// A replicated counter in under a hundred lines: three Raft nodes in one process, each with its log on disk.
//
//     swift run raft-counter
//
// The pieces every program on the Raft library brings: a state machine, a transport, an event loop for each node.

import Basics
import Logging
import NIOCore
import NIOPosix
import Raft
import RaftCore
import SegmentLog

/// Adds up the numbers that are proposed, and answers with the sum so far.
final class Counter: FSM {
    private(set) var sum: Int64 = 0

    func apply(_ block: CommittedBlock, responses: inout [Int64]) {
        for entry in block.entries {
            if entry.type == .command, let payload = block.payload {
                sum += entry.payload(in: payload).getInteger(at: 0) ?? 0
            }
            responses.append(sum)
        }
    }
}

@main
struct RaftCounter {
    static func main() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 3)
        let network = InMemoryNetwork()
        let ids = [NodeID(1), NodeID(2), NodeID(3)]
        var nodes: [NodeID: Raft<Counter>] = [:]
        for id in ids {
            nodes[id] = try await startNode(id, of: ids, on: group.next(), network)
        }

        let leader = try await waitForLeader(nodes)
        print("node \(leader) leads")
        let futures = (1...1_000).map { number in nodes[leader]!.apply(ByteBuffer(integer: Int64(number))) }
        for future in futures { _ = try await future.value }
        let total = try await nodes[leader]!.barrier().value
        print("1 + … + 1000 = \(total.response), at log index \(total.index)")

        network.setConnected(leader, false)
        let successor = try await waitForLeader(nodes.filter { $0.key != leader })
        let after = try await nodes[successor]!.apply(ByteBuffer(integer: Int64(-500_500))).value
        print("node \(leader) was cut off; node \(successor) leads and counts on: \(after.response)")

        for node in nodes.values { await node.shutdown() }
        try await group.shutdownGracefully()
    }

    static func startNode(
        _ id: NodeID, of ids: [NodeID], on loop: any EventLoop, _ network: InMemoryNetwork
    ) async throws -> Raft<Counter> {
        let threads = StorageThread(name: "storage-\(id)")
        let configuration = RaftConfiguration(
            shard: .metadata, core: CoreConfiguration(id: id, voters: ids), seed: UInt64(id.rawValue))
        let directory = "/tmp/raft-counter-\(UInt32.random(in: 0 ... .max))/\(id)"
        let raft = try await Raft<Counter>.start(
            configuration, on: loop, encoderThreads: [threads], logger: Logger(label: "raft-counter")
        ) {
            let log = try SegmentLog.open(
                options: SegmentLogOptions(directory: directory), fileSystem: POSIXFileSystem(), eventLoop: loop,
                writer: threads, reader: threads)
            return (Counter(), SegmentBlockLog(log), InMemoryTransport(id, on: network))
        }
        network.attach(id) { message, sender in raft.receive(message, from: sender) }
        return raft
    }

    static func waitForLeader(_ nodes: [NodeID: Raft<Counter>]) async throws -> NodeID {
        while true {
            for (id, node) in nodes where await node.read({ $0.isServing }) { return id }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
