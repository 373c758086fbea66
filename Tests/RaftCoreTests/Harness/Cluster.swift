import Basics
import RaftCore

/// A message on its way, with the content of its blocks.
struct Envelope {
    var from: NodeID
    var to: NodeID
    var message: Message
    var contents: [UInt64] = []
}

/// Cores with disks and a network between them, all in memory and without a will of their own: a test says what
/// happens next. Every action is checked against the safety properties as it is taken.
struct Cluster {
    struct Read {
        var to: NodeID
        var epoch: ReplicationEpoch
        var from: LogIndex
        var maxBytes: Int
    }

    struct Node {
        var core: Core
        var disk = Disk()
        var isUp = true
        /// The log as the core sees it, flushed or not.
        var log: [StoredBlock] = []
        var reads: [Read] = []
        var committed = LogIndex.zero
        var incarnation: UInt64 = 0

        var isLeader: Bool { isUp && core.status.role == .leader }
    }

    var now = Instant.zero
    var nodes: [NodeID: Node] = [:]
    var network: [Envelope] = []
    var checker = SafetyChecker()
    /// Told everything that happens; the scripts' golden output is made of it.
    var trace: ((String) -> Void)?
    private let configure: (inout CoreConfiguration) -> Void
    private let seed: UInt64
    private var contents: UInt64 = 0

    static let noopBytes = 50

    init(size: Int, seed: UInt64, configure: @escaping (inout CoreConfiguration) -> Void = { _ in }) {
        self.seed = seed
        self.configure = configure
        let ids = (1...size).map { NodeID(Int32($0)) }
        for id in ids { nodes[id] = Node(core: makeCore(id, voters: ids, disk: Disk(), incarnation: 0)) }
    }

    var ids: [NodeID] { nodes.keys.sorted() }

    private func makeCore(_ id: NodeID, voters: [NodeID], disk: Disk, incarnation: UInt64) -> Core {
        var configuration = CoreConfiguration(id: id, voters: voters)
        configure(&configuration)
        return Core(
            configuration, hardState: disk.hardState, log: disk.recovered,
            seed: seed &* 1_000 &+ UInt64(id.rawValue) &* 100 &+ incarnation, now: now)
    }

    func note(_ text: @autoclosure () -> String) { trace?(text()) }

    // MARK: What a test may do

    mutating func step(_ id: NodeID, _ event: Event) {
        step(id, event, received: [])
    }

    /// Delivers the message at a place in the network; a `copy` leaves it there.
    mutating func deliver(at place: Int, copy: Bool = false) {
        let envelope = copy ? network[place] : network.remove(at: place)
        guard nodes[envelope.to]!.isUp else {
            return note("\(envelope.to) is down, lost: \(describe(envelope.message))")
        }
        note("\(envelope.to) <- \(envelope.from): \(describe(envelope.message))")
        step(envelope.to, .message(from: envelope.from, envelope.message), received: blocks(of: envelope))
    }

    mutating func propose(_ id: NodeID, _ blocks: [ProposedBlock]) {
        step(id, .propose(blocks))
    }

    mutating func persist(_ id: NodeID) {
        for state in nodes[id]!.disk.syncHardState() {
            note("\(id) persisted \(describe(state))")
            step(id, .persisted(state))
        }
    }

    mutating func sync(_ id: NodeID, writes: Int = .max) {
        nodes[id]!.disk.sync(writes)
    }

    /// Tells the core of the completed flushes.
    mutating func notify(_ id: NodeID) {
        let completions = nodes[id]!.disk.completions
        nodes[id]!.disk.completions.removeAll()
        // One flush covers all that was written before it.
        for (i, completion) in completions.enumerated() {
            if i + 1 < completions.count, completions[i + 1].epoch == completion.epoch { continue }
            note("\(id) flushed through=\(completion.through) epoch=\(completion.epoch)")
            step(id, .flushed(epoch: completion.epoch, through: completion.through))
        }
    }

    mutating func answerReads(_ id: NodeID, failing: Bool = false) {
        let reads = nodes[id]!.reads
        nodes[id]!.reads.removeAll()
        for read in reads {
            let blocks = failing ? [] : nodes[id]!.disk.read(from: read.from, maxBytes: read.maxBytes)
            let infos = blocks.map(\.info)
            note("\(id) read for \(read.to) epoch=\(read.epoch) \(describe(infos))")
            step(id, .blocksRead(to: read.to, epoch: read.epoch, infos), received: blocks)
        }
    }

    mutating func failDisk(_ id: NodeID) {
        nodes[id]!.disk.fail()
        step(id, .storageFailed)
    }

    mutating func crash(_ id: NodeID, keepingWrites: Int = 0, persists: Int = 0) {
        nodes[id]!.isUp = false
        nodes[id]!.reads.removeAll()
        nodes[id]!.disk.crash(keepingWrites: keepingWrites, persists: persists)
    }

    mutating func restart(_ id: NodeID) {
        let old = nodes[id]!
        var node = Node(
            core: makeCore(id, voters: ids, disk: old.disk, incarnation: old.incarnation + 1), disk: old.disk)
        node.incarnation = old.incarnation + 1
        node.log = old.disk.blocks
        nodes[id] = node
    }

    // MARK: The driver

    private mutating func step(_ id: NodeID, _ event: Event, received: [StoredBlock]) {
        precondition(nodes[id]!.isUp, "\(id) is down")
        var actions: [Action] = []
        nodes[id]!.core.step(event, now: now, into: &actions)
        for action in actions {
            if trace != nil, let text = describe(action) { note("\(id): \(text)") }
            perform(action, by: id, received: received)
        }
        checkState(of: id)
        if actions.contains(.proposeNoop) { propose(id, [ProposedBlock(count: 1, bytes: Self.noopBytes)]) }
    }

    private mutating func perform(_ action: Action, by id: NodeID, received: [StoredBlock]) {
        switch action {
        case .persist(let state):
            nodes[id]!.disk.persist(state)
        case .appendProposed(let epoch, let infos):
            let new = infos.map { info in
                contents += 1
                return StoredBlock(info: info, content: contents)
            }
            append(new, epoch: epoch, to: id)
        case .appendReceived(let epoch, let infos):
            let new = received.suffix(infos.count)
            if new.map(\.info) != infos { checker.fail("node \(id) appends \(infos), no suffix of the request") }
            append(Array(new), epoch: epoch, to: id)
        case .truncate(let index, _):
            if index <= nodes[id]!.committed { checker.fail("node \(id) cuts at \(index), which is committed") }
            nodes[id]!.log.removeAll { $0.info.base >= index }
            nodes[id]!.disk.truncate(from: index)
        case .send(let peer, let message):
            send(message, from: id, to: peer, read: received)
        case .readBlocks(let peer, let epoch, let from, let maxBytes):
            if from > nodes[id]!.disk.lastIndex { checker.fail("node \(id) reads \(from), which is not flushed") }
            if nodes[id]!.reads.contains(where: { $0.to == peer && $0.epoch == epoch }) {
                checker.fail("node \(id) reads twice at a time for \(peer)")
            }
            nodes[id]!.reads.append(Read(to: peer, epoch: epoch, from: from, maxBytes: maxBytes))
        case .commit(let index):
            if index <= nodes[id]!.committed { checker.fail("node \(id) commits \(index) again") }
            checkDurability(through: index, of: id)
            checker.committed(id, log: nodes[id]!.log, after: nodes[id]!.committed, through: index)
            nodes[id]!.committed = index
        case .statusChanged(let status):
            if status.role == .leader { checker.elected(id, term: status.term, log: nodes[id]!.log) }
        case .proposeNoop, .proposalRejected, .leadershipVerified, .verificationFailed:
            break
        }
    }

    private mutating func append(_ blocks: [StoredBlock], epoch: StorageEpoch, to id: NodeID) {
        let start = nodes[id]!.log.count
        nodes[id]!.log += blocks
        nodes[id]!.disk.append(blocks, epoch: epoch)
        checker.appended(id, log: nodes[id]!.log, from: start)
    }

    private mutating func send(_ message: Message, from id: NodeID, to peer: NodeID, read: [StoredBlock]) {
        let node = nodes[id]!
        var envelope = Envelope(from: id, to: peer, message: message)
        if let fault = faultOfSpeech(message, to: peer, node) { checker.fail("node \(id): \(fault)") }
        if case .appendRequest(let request) = message {
            for info in request.blocks {
                // The driver has the tail in memory, and the blocks just read; nothing else.
                let source = info.base >= node.core.tailFirstIndex ? node.log : read
                if let block = source.last(where: { $0.info == info }) {
                    envelope.contents.append(block.content)
                } else {
                    checker.fail("node \(id) sends \(info), which is not in memory")
                    return
                }
            }
        }
        network.append(envelope)
    }

    /// What a message claims must be on this node's disk.
    private func faultOfSpeech(_ message: Message, to peer: NodeID, _ node: Node) -> String? {
        let stable = node.disk.hardState
        switch message {
        case .preVoteRequest, .preVoteResponse:
            return nil
        case .voteRequest(let request):
            return stable == HardState(term: request.term, votedFor: node.core.configuration.id)
                ? nil : "asks for votes in \(request.term) with \(stable) on disk"
        case .voteResponse(let response):
            if response.granted, stable != HardState(term: response.term, votedFor: peer) {
                return "votes for \(peer) in \(response.term) with \(stable) on disk"
            }
            return stable.term >= response.term ? nil : "answers in term \(response.term) with \(stable) on disk"
        case .appendRequest(let request):
            return stable.term == request.term ? nil : "leads in \(request.term) with \(stable) on disk"
        case .appendResponse(let response):
            if stable.term != response.term { return "acknowledges in \(response.term) with \(stable) on disk" }
            if case .matched(let flushed) = response.outcome {
                // Writes still queued may be about to cut what is on the disk, but nothing that is acknowledged.
                let stored = node.disk.blocks.last { $0.info.base <= flushed }
                let expected = node.log.last { $0.info.base <= flushed }
                if flushed > node.disk.lastIndex || stored != expected { return "acknowledges \(flushed) unflushed" }
            }
            return nil
        }
    }

    private mutating func checkState(of id: NodeID) {
        let node = nodes[id]!
        if node.core.lastIndex != node.log.last?.info.last ?? .zero {
            checker.fail("node \(id): the core ends at \(node.core.lastIndex), the log does not")
        }
        if node.core.flushedIndex > node.disk.lastIndex {
            checker.fail("node \(id): flushed \(node.core.flushedIndex), on disk \(node.disk.lastIndex)")
        }
    }

    /// What is committed for the first time is on the disks of a quorum at that moment.
    private mutating func checkDurability(through index: LogIndex, of id: NodeID) {
        guard index > checker.committedIndex, let last = nodes[id]!.log.last(where: { $0.info.last <= index }) else {
            return
        }
        let holders = nodes.values.filter { $0.disk.blocks.last { $0.info.base <= last.info.base } == last }
        if holders.count <= nodes.count / 2 { checker.fail("node \(id) commits \(index), which no quorum has flushed") }
    }

    private func blocks(of envelope: Envelope) -> [StoredBlock] {
        guard case .appendRequest(let request) = envelope.message else { return [] }
        return zip(request.blocks, envelope.contents).map(StoredBlock.init)
    }
}
