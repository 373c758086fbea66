import Basics
import RaftCore

/// The command language of the scripts; Scripts/README.md lists it.
struct ScriptInterpreter {
    struct UnknownCommand: Error {
        var command: String
    }

    private final class Trace {
        var lines: [String] = []
    }

    private var cluster = Cluster(size: 1, seed: 0)
    private var cut: Set<[NodeID]> = []
    private let trace = Trace()

    /// Runs one command and returns what happened.
    mutating func run(_ text: String) throws -> [String] {
        trace.lines = []
        let words = text.split(separator: " ").map(String.init)
        let command = Command(text: text, words: words)
        switch words[0] {
        case "cluster": try makeCluster(command)
        case "advance": cluster.now = cluster.now + (try command.span(1))
        case "tick": try tick(command)
        case "campaign": try campaign(command)
        case "elect": try elect(command)
        case "run": try run(command)
        case "deliver", "drop", "copy", "reverse": try moveMessages(command)
        case "cut", "heal": try changeLinks(command)
        case "persist": for id in try command.nodes(cluster) { cluster.persist(id) }
        case "sync": for id in try command.nodes(cluster) { cluster.sync(id, writes: command.option("writes") ?? .max) }
        case "notify": for id in try command.nodes(cluster) { cluster.notify(id) }
        case "flush": try flush(command)
        case "read":
            for id in try command.nodes(cluster) { cluster.answerReads(id, failing: words.contains("failing")) }
        case "propose": try propose(command)
        case "verify":
            cluster.step(try command.node(1), .verifyLeader(id: UInt64(try command.required("id"))))
        case "announce": cluster.step(try command.node(1), .announceCommit)
        case "disconnect":
            cluster.step(try command.node(1), .disconnected(try command.node(2)))
        case "fail": cluster.failDisk(try command.node(1))
        case "crash":
            cluster.crash(
                try command.node(1), keepingWrites: command.option("writes") ?? 0,
                persists: command.option("persists") ?? 0)
        case "restart": cluster.restart(try command.node(1))
        case "stabilize": stabilize(try command.nodes(cluster))
        case "log": for id in try command.nodes(cluster) { showLog(id) }
        case "peers": for peer in cluster.nodes[try command.node(1)]!.core.peers { show(peer) }
        default: throw UnknownCommand(command: text)
        }
        for violation in cluster.checker.violations { trace.lines.append("VIOLATION: \(violation)") }
        return trace.lines
    }

    // MARK: Set-up

    private mutating func makeCluster(_ command: Command) throws {
        let size = try command.number(1)
        cluster = Cluster(size: size, seed: UInt64(command.option("seed") ?? 1)) {
            $0.tailBytesMax = command.option("tail") ?? $0.tailBytesMax
            $0.inflightBytesMax = command.option("window") ?? $0.inflightBytesMax
            $0.appendBytesMax = command.option("append") ?? $0.appendBytesMax
            $0.uncommittedBytesMax = command.option("uncommitted") ?? $0.uncommittedBytesMax
            $0.storageStallTimeout = .milliseconds(Int64(command.option("stall") ?? 5_000))
        }
        cut = []
        cluster.trace = { [trace] in trace.lines.append($0) }
    }

    /// `cut 1-2 3-*` both ways, `cut 1->2` one way; `heal` likewise, or everything.
    private mutating func changeLinks(_ command: Command) throws {
        if command.words.count == 1 { cut = [] }
        for link in command.words.dropFirst() {
            let isOneWay = link.contains("->")
            let ends = link.replacing("->", with: "-").split(separator: "-")
            guard ends.count == 2, let from = Int32(ends[0]) else { throw UnknownCommand(command: command.text) }
            let others = ends[1] == "*" ? cluster.ids : Int32(ends[1]).map { [NodeID($0)] } ?? []
            for other in others {
                let links: Set = isOneWay ? [[NodeID(from), other]] : [[NodeID(from), other], [other, NodeID(from)]]
                if command.words[0] == "cut" { cut.formUnion(links) } else { cut.subtract(links) }
            }
        }
    }

    // MARK: Time

    private mutating func tick(_ command: Command) throws {
        if command.words.count > 2 { cluster.now = cluster.now + (try command.span(2)) }
        cluster.step(try command.node(1), .tick)
    }

    /// Lets time pass until the node's own deadline, and ticks it.
    private mutating func campaign(_ command: Command) throws {
        let id = try command.node(1)
        cluster.now = max(cluster.now, cluster.nodes[id]!.core.nextDeadline)
        cluster.step(id, .tick)
    }

    /// Has a node elected, and shows only what came of it.
    private mutating func elect(_ command: Command) throws {
        try campaign(command)
        stabilize(cluster.ids)
        summarise()
    }

    /// Time passes in steps of 25 ms in which everything happens that can; shows only what came of it. What these nodes
    /// send to others is lost.
    private mutating func run(_ command: Command) throws {
        let ids = try command.nodes(cluster)
        let end = cluster.now + (try command.span(1))
        while cluster.now < end {
            cluster.now = min(end, cluster.now + .milliseconds(25))
            for id in ids where cluster.nodes[id]!.isUp { cluster.step(id, .tick) }
            stabilize(ids)
        }
        cluster.network.removeAll { !ids.contains($0.from) || !ids.contains($0.to) }
        summarise()
    }

    private func summarise() {
        trace.lines.removeAll { line in !["is ", "commit", "truncate", "verif"].contains { line.contains(": " + $0) } }
    }

    // MARK: Network

    /// `deliver 1->2` takes all that waits on the link, `deliver 1->2 1` the first; `copy` delivers and keeps.
    private mutating func moveMessages(_ command: Command) throws {
        let ends = command.words[1].replacing("->", with: "-").split(separator: "-").compactMap { Int32($0) }
        guard ends.count == 2 else { throw UnknownCommand(command: command.text) }
        func isOnLink(_ envelope: Envelope) -> Bool {
            envelope.from == NodeID(ends[0]) && envelope.to == NodeID(ends[1])
        }
        var places = cluster.network.indices.filter { isOnLink(cluster.network[$0]) }
        if command.words[0] == "reverse" {
            let reversed = places.reversed().map { cluster.network[$0] }
            for (place, envelope) in zip(places, reversed) { cluster.network[place] = envelope }
            return
        }
        if command.words.count > 2 { places = Array(places.prefix(try command.number(2))) }
        // What the deliveries send is appended, so the places before it stay, less those taken out.
        for (taken, place) in places.enumerated() {
            switch command.words[0] {
            case "copy": cluster.deliver(at: place, copy: true)
            case "drop":
                let envelope = cluster.network.remove(at: place - taken)
                cluster.note("dropped \(envelope.from)->\(envelope.to): \(describe(envelope.message))")
            default: cluster.deliver(at: place - taken)
            }
        }
    }

    // MARK: Work

    private mutating func flush(_ command: Command) throws {
        for id in try command.nodes(cluster) {
            cluster.sync(id, writes: command.option("writes") ?? .max)
            cluster.notify(id)
        }
    }

    private mutating func propose(_ command: Command) throws {
        let block = ProposedBlock(count: command.option("count") ?? 1, bytes: command.option("bytes") ?? 100)
        let id = try command.node(1)
        cluster.propose(id, Array(repeating: block, count: command.option("blocks") ?? 1))
        if !cluster.nodes[id]!.core.acceptsProposals { trace.lines.append("\(id) accepts no more proposals") }
    }

    /// Without time passing, everything that can happen among these nodes happens, until nothing is left.
    private mutating func stabilize(_ ids: [NodeID]) {
        var isQuiet = false
        var exchanges = 0
        while !isQuiet {
            isQuiet = true
            exchanges += 1
            guard exchanges < 1_000 else { return trace.lines.append("VIOLATION: these nodes never become quiet") }
            for id in ids where cluster.nodes[id]!.isUp {
                let disk = cluster.nodes[id]!.disk
                if disk.persists.isEmpty, disk.writes.isEmpty, disk.completions.isEmpty,
                    cluster.nodes[id]!.reads.isEmpty
                {
                    continue
                }
                isQuiet = false
                cluster.persist(id)
                cluster.sync(id)
                cluster.notify(id)
                cluster.answerReads(id)
            }
            let waiting = cluster.network
            for envelope in waiting where ids.contains(envelope.to) && ids.contains(envelope.from) {
                let place = cluster.network.firstIndex {
                    $0.from == envelope.from && $0.to == envelope.to && $0.message == envelope.message
                }!
                isQuiet = false
                if cut.contains([envelope.from, envelope.to]) {
                    cluster.network.remove(at: place)
                } else {
                    cluster.deliver(at: place)
                }
            }
        }
    }

    // MARK: Show

    private func showLog(_ id: NodeID) {
        let node = cluster.nodes[id]!
        let blocks = node.log.map { "\($0.info.base)-\($0.info.last)@\($0.info.term)" }.joined(separator: " ")
        let (flushed, commit) = (node.core.flushedIndex, node.core.commitIndex)
        trace.lines.append("\(id): \(blocks.isEmpty ? "empty" : blocks), flushed=\(flushed) commit=\(commit)")
    }

    private func show(_ peer: PeerStatus) {
        trace.lines.append(
            "\(peer.id): \(peer.state) match=\(peer.match) next=\(peer.next) inflight=\(peer.inflightBytes)B")
    }
}

/// One command, split into words, with `name=value` options.
struct Command {
    var text: String
    var words: [String]

    private var fault: ScriptInterpreter.UnknownCommand { .init(command: text) }

    func number(_ place: Int) throws -> Int {
        guard words.count > place, let number = Int(words[place]) else { throw fault }
        return number
    }

    func node(_ place: Int) throws -> NodeID { NodeID(Int32(try number(place))) }

    /// The nodes named, or all.
    func nodes(_ cluster: Cluster) throws -> [NodeID] {
        let named = words.dropFirst().compactMap { Int32($0) }.map { NodeID($0) }
        return named.isEmpty ? cluster.ids : named
    }

    func option(_ name: String) -> Int? {
        words.first { $0.hasPrefix(name + "=") }.flatMap { Int($0.dropFirst(name.count + 1)) }
    }

    func required(_ name: String) throws -> Int {
        guard let value = option(name) else { throw fault }
        return value
    }

    /// Such as `75ms`.
    func span(_ place: Int) throws -> TimeSpan {
        guard words.count > place, words[place].hasSuffix("ms"), let number = Int64(words[place].dropLast(2)) else {
            throw fault
        }
        return .milliseconds(number)
    }
}
