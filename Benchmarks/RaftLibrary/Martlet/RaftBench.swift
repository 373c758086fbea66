import ArgumentParser
import Basics
import Foundation
import NIOCore
import NIOPosix
import Raft

/// How many commands three nodes of the Raft library commit in a second, and how long each takes. Prints a JSON object;
/// the program in `../Hashicorp` takes the same options and prints the same.
@main
struct RaftBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "raft-bench",
        abstract: "Three Raft nodes in one process, TCP between them, every command flushed on a quorum.")

    @Option(help: "Directory for the logs.")
    var dir: String
    @Option(help: "Bytes of a command.")
    var size = 100
    @Option(help: "Commands under way.")
    var outstanding = 1_024
    @Option(help: "Seconds to measure.")
    var seconds = 3.0
    @Option(help: "Seconds before the measurement.")
    var warmup = 1.0
    @Option(help: "Who proposes: 'tasks', each waiting for its command, or 'loop', callbacks on the leader's loop.")
    var callers = Callers.tasks

    enum Callers: String, ExpressibleByArgument { case tasks, loop }

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 3)
        let voters = [NodeID(1), NodeID(2), NodeID(3)]
        var nodes: [Node] = []
        for id in voters { nodes.append(try await Node.start(id, of: voters, directory: dir, on: group.next())) }
        for node in nodes {
            for peer in nodes where peer.id != node.id { try await node.dial(peer) }
        }
        let leader = try await waitForLeader(nodes)
        let now = NIODeadline.now()
        let measureFrom = now + .nanoseconds(Int64(warmup * 1e9))
        let load = Load(
            raft: leader.raft, command: Self.randomBytes(size), measureFrom: measureFrom,
            end: measureFrom + .nanoseconds(Int64(seconds * 1e9)))
        let times =
            switch callers {
            case .tasks: try await load.byTasks(outstanding)
            case .loop: try await load.onLoop(outstanding, leader.loop)
            }
        print(try summary(times))
        for node in nodes { await node.raft.shutdown() }
        try await group.shutdownGracefully()
    }

    private func waitForLeader(_ nodes: [Node]) async throws -> Node {
        while true {
            for node in nodes where await node.raft.read({ $0.isServing }) { return node }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private func summary(_ times: [Int64]) throws -> String {
        let sorted = times.sorted()
        func milliseconds(_ share: Double) -> Double {
            sorted.isEmpty ? 0 : Double(sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]) / 1e6
        }
        let result: [String: Double] = [
            "commandsPerSecond": Double(sorted.count) / seconds, "p50": milliseconds(0.5), "p99": milliseconds(0.99),
        ]
        return String(decoding: try JSONEncoder().encode(result), as: UTF8.self)
    }

    /// Bytes that do not compress.
    private static func randomBytes(_ count: Int) -> ByteBuffer {
        var random = SystemRandomNumberGenerator()
        return ByteBuffer(bytes: (0..<count).map { _ in UInt8.random(in: 0 ... .max, using: &random) })
    }
}
