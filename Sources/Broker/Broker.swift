import Basics
import KafkaWire
import Logging
import NIOCore
import Raft
import RaftCore
import SegmentLog

/// Carries a client's request to another broker and its answer back.
public protocol RequestForwarding: AnyObject {
    /// - Parameters:
    ///   - request: a Kafka request, header and body, without its length.
    ///   - completion: the response, header and body; nil when the other broker could not be asked or did not answer.
    func forward(_ request: ByteBuffer, to peer: NodeID, completion: @escaping (ByteBuffer?) -> Void)
}

/// One broker: takes clients' requests, carries them out through the shards, and answers.
///
/// Owner: one event loop, on which all of it runs: client connections, shards, timers. Nothing in here locks, blocks
/// or awaits; the network layer brings requests and takes answers, the log's own threads do what blocks.
public final class Broker {
    public let configuration: BrokerConfiguration
    let loop: any EventLoop
    let logger: Logger
    let shards: [Shard]
    let forwarding: any RequestForwarding
    let coldReads: ColdReadPacer
    let wallClock: () -> Milliseconds
    var random: RandomSource
    var pendingProduces = PendingProduces()
    var waitingFetchCount = 0

    /// Measures the volume that the logs are on; nil when nobody can tell.
    public var volume: (any VolumeProbe)?
    private var ticker: RepeatedTask?
    private var uncongestedWaiters: [() -> Void] = []
    /// Who waits until this broker knows the cluster's state, and until when.
    private var catchUpWaiters: [(until: NIODeadline, body: () -> Void)] = []
    /// Where each other broker says its clients reach it; the metadata leader writes it to the log.
    private var peerRegistrations: [NodeID: BrokerRegistration] = [:]
    private var isMetadataDutyUnderWay = false
    /// A shard's storage failed: this broker cannot go on safely. The server ends the process.
    public var onStorageFailure: ((ShardID, StorageError) -> Void)?

    /// - Parameters:
    ///   - logs: one opened log for each shard, in order.
    ///   - wallClock: milliseconds since 1970; dates entries and nothing else.
    public init(
        configuration: BrokerConfiguration, logs: [any BlockLog], transport: any Transport,
        forwarding: any RequestForwarding, encoderThreads: [any StorageExecutor], eventLoop: any EventLoop,
        wallClock: @escaping () -> Milliseconds, seed: UInt64, logger: Logger
    ) {
        invariant(logs.count == configuration.shardCount, "one log for each shard")
        self.configuration = configuration
        self.loop = eventLoop
        self.logger = logger
        self.forwarding = forwarding
        self.wallClock = wallClock
        random = RandomSource(seed: seed)
        let coldReads = ColdReadPacer(configuration.coldReads, eventLoop: eventLoop)
        self.coldReads = coldReads
        shards = logs.enumerated().map { position, log in
            let id = ShardID(UInt16(position))
            let machine = TopicsFSM(shard: id)
            var core = CoreConfiguration(id: configuration.nodeID, voters: configuration.voters)
            core.tailBytesMax = configuration.shardPart(of: configuration.tailBytesMax)
            core.initialElectionDelay = Self.initialElectionDelay(of: id, configuration)
            var raft = RaftConfiguration(
                shard: id, core: core, seed: RandomSource(seed: seed).seed(for: "shard \(position)"))
            raft.compression = configuration.compression
            raft.pendingBytesMax = configuration.pendingBytesMax
            raft.keptPayloadBytesMin = configuration.keptPayloadBytesMin
            let node = RaftNode(
                configuration: raft, machine: machine, log: log, transport: transport,
                encoderThreads: encoderThreads,
                eventLoop: eventLoop, logger: logger)
            return Shard(id: id, machine: machine, node: node, configuration: configuration, coldReads: coldReads)
        }
    }

    /// The nodes are given the first word in turn, so that the leaders of the shards spread over them. The others wait
    /// for as long as brokers that are started together may be apart.
    private static func initialElectionDelay(of shard: ShardID, _ configuration: BrokerConfiguration) -> TimeSpan {
        let voters = configuration.voters.sorted()
        return voters[Int(shard.rawValue) % voters.count] == configuration.nodeID ? .zero : .seconds(1)
    }

    public func start() {
        loop.preconditionInEventLoop()
        for shard in shards {
            shard.node.onApplied = { [unowned self] in self.applied(shard) }
            shard.node.onStatus = { [unowned self] status in self.statusChanged(shard, status) }
            shard.node.onStorageFailure = { [unowned self] error in self.storageFailed(shard, error) }
            shard.node.start()
        }
        let bound = NIOLoopBound(self, eventLoop: loop)
        ticker = loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(50)) { _ in bound.value.tick() }
    }

    /// Stops taking part. What waits fails; the logs are left to their owner. Fetches that wait hold the broker: they
    /// are dropped, as their connections are.
    public func shutdown() {
        loop.preconditionInEventLoop()
        ticker?.cancel()
        catchUpWaiters = []
        coldReads.shutdown()
        for shard in shards {
            shard.node.shutdown()
            // They hold the shard, which holds the node that holds them.
            shard.node.onApplied = nil
            shard.node.onStatus = nil
            shard.node.onStorageFailure = nil
            shard.waitingFetches = WaitingFetches()
            endGroupOffice(shard)
        }
    }

    // MARK: Shards

    var metadataShard: Shard { shards[0] }

    /// The cluster's topics and brokers, as far as this broker has applied them.
    public var metadata: ClusterMetadata { metadataShard.machine.metadata }

    /// Whether what is not in `metadata` does not exist. Right after its start a broker does not know yet what there
    /// is, and clients that are told that their topic is unknown give it up.
    var knowsAllTopics: Bool { metadataShard.node.hasCaughtUp }

    /// Calls back when this broker knows the cluster's state, or has waited a while for it.
    ///
    /// Right after its start it knows no topics and no brokers. Clients take a broker that is not named for one that
    /// was removed, and some (librdkafka 2.12 to 2.16) do not come back from having lost all.
    func whenCaughtUp(_ body: @escaping () -> Void) {
        guard !knowsAllTopics else { return body() }
        catchUpWaiters.append((loop.now + Self.catchUpWait, body))
    }

    /// A broker that finds no majority never catches up; clients shall learn from it what it does know.
    private static let catchUpWait = TimeAmount.seconds(5)

    private func releaseCatchUpWaiters() {
        guard !catchUpWaiters.isEmpty else { return }
        let now = loop.now, isOver = knowsAllTopics
        let due = catchUpWaiters.filter { isOver || $0.until <= now }
        catchUpWaiters.removeAll { isOver || $0.until <= now }
        for waiter in due { waiter.body() }
    }

    /// What to answer for a partition that is not there.
    ///
    /// - Parameter topic: its topic, if that is known.
    func reasonForNoPartition(of topic: Topic?, askedByID: Bool = false) -> ErrorCode {
        if topic != nil { return .unknownTopicOrPartition }
        guard knowsAllTopics else { return .notLeaderOrFollower }
        return askedByID ? .unknownTopicID : .unknownTopicOrPartition
    }

    func shard(of key: PartitionKey) -> Shard { shards[Int(key.shard(of: shards.count).rawValue)] }

    private func applied(_ shard: Shard) {
        var producedBytes = 0
        shard.machine.takeTouched { key, bytes in
            producedBytes += bytes
            for task in shard.waitingFetches.tasks(for: key) { task.appended(bytes) }
        }
        coldReads.produced(producedBytes)
        for topic in shard.machine.takeDeleted() { wakeFetches(of: topic) }
        // Whoever made a topic here may ask for it at any other broker next.
        if shard.machine.metadata.takeChange() { shard.node.announceCommit() }
        shard.storeSealedOffsets { [logger] error in
            logger.error("an offset table cannot be written; it stays in memory", metadata: ["error": "\(error)"])
        }
        if shard.isServing, shard.servingSince == nil {
            shard.servingSince = loop.now
            carryOutMetadataDuties()
        }
        followGroups(of: shard)
        releaseCatchUpWaiters()
        releaseUncongested()
    }

    /// Whoever waits for data of a topic that was deleted must hear of it.
    private func wakeFetches(of topic: TopicNumber) {
        for shard in shards {
            for task in shard.waitingFetches.tasks(of: topic) { task.wake() }
        }
    }

    private func statusChanged(_ shard: Shard, _ status: Status) {
        logger.info("shard status", metadata: [
            "shard": "\(shard.id)", "role": "\(status.role.rawValue)", "term": "\(status.term)",
            "leader": "\(status.leader.map { "\($0)" } ?? "unknown")",
        ])
        if status.role != .leader {
            shard.servingSince = nil
            endGroupOffice(shard)
        }
        // Whoever waits for data here must look for the new leader.
        for task in shard.waitingFetches.all { task.wake() }
    }

    private func storageFailed(_ shard: Shard, _ error: StorageError) {
        logger.critical("the log storage failed; this broker steps down", metadata: [
            "shard": "\(shard.id)", "error": "\(error)",
        ])
        onStorageFailure?(shard.id, error)
    }

    // MARK: Congestion

    /// Whether so much waits to be committed that clients' sockets must not be read now.
    public var isCongested: Bool {
        shards.contains { $0.node.pendingBytes > configuration.pendingBytesMax / 2 }
    }

    /// Calls back once, when `isCongested` has turned false.
    public func whenUncongested(_ body: @escaping () -> Void) { uncongestedWaiters.append(body) }

    private func releaseUncongested() {
        guard !uncongestedWaiters.isEmpty, !isCongested else { return }
        let waiters = uncongestedWaiters
        uncongestedWaiters = []
        for waiter in waiters { waiter() }
    }

    // MARK: Duties

    private func tick() {
        pendingProduces.expire(now: loop.now)
        releaseUncongested()
        releaseCatchUpWaiters()
        carryOutMetadataDuties()
        forgetDeletedTopics()
        for shard in shards { shard.groupCoordinator?.tick() }
    }

    /// A Raft message from another broker.
    public func receive(_ message: PeerMessage, from peer: NodeID) {
        guard shards.indices.contains(Int(message.shard.rawValue)) else { return }
        shards[Int(message.shard.rawValue)].node.receive(message, from: peer)
    }

    /// Another broker introduced itself.
    public func receive(_ hello: PeerHello) {
        peerRegistrations[hello.broker.id] = hello.broker
    }

    public func peerDisconnected(_ peer: NodeID) {
        for shard in shards { shard.node.peerDisconnected(peer) }
    }

    /// How this broker introduces itself to clients and to other brokers.
    public static func registration(_ configuration: BrokerConfiguration) -> BrokerRegistration {
        BrokerRegistration(
            id: configuration.nodeID, host: configuration.advertisedHost, port: configuration.advertisedPort,
            rack: configuration.rack)
    }

    /// The metadata leader names the cluster and records where its brokers are, one command at a time.
    private func carryOutMetadataDuties() {
        guard metadataShard.isServing, !isMetadataDutyUnderWay, let duty = nextMetadataDuty() else { return }
        isMetadataDutyUnderWay = true
        propose(duty, in: metadataShard) { [weak self] result in
            guard let self else { return }
            isMetadataDutyUnderWay = false
            // What failed is tried again with the next tick.
            if case .success = result { carryOutMetadataDuties() }
        }
    }

    private func nextMetadataDuty() -> Command? {
        if metadata.clusterID == nil { return .initializeCluster(id: TopicID(using: &random).description) }
        let own = Self.registration(configuration)
        let known = [own] + peerRegistrations.values.sorted { $0.id < $1.id }
        return known.first { metadata.brokers[$0.id] != $0 }.map { .registerBroker($0) }
    }

    /// The leader of every other shard drops the partitions of topics that the metadata shard has deleted.
    private func forgetDeletedTopics() {
        for shard in shards where shard.id != .metadata && shard.isServing {
            for number in shard.machine.topicNumbers
            where metadata.topic(number) == nil && metadata.wasCreated(number) && !shard.isForgetting(number) {
                shard.beginForgetting(number)
                propose(.forgetTopic(number), in: shard) { _ in shard.endForgetting(number) }
            }
        }
    }

    /// Proposes a command that needs no payload, in as many entries as it takes.
    func propose(
        _ command: Command, in shard: Shard, completion: @escaping (Result<CommandResult, RaftError>) -> Void
    ) {
        let encoded = command.encoded()
        guard encoded.readableBytes <= CommandFragment.commandBytesMax else {
            let error = RaftError.commandTooLarge(
                bytes: encoded.readableBytes, limit: CommandFragment.commandBytesMax)
            return completion(.failure(error))
        }
        var heads = CommandFragment.heads(of: encoded, headBytesMax: BlockLimits.headBytesMax)[...]
        guard let last = heads.popLast() else { return }
        for head in heads {
            // Those of one turn stand together in the log. If one is refused, which is said at once, the rest would
            // mean nothing.
            var refusal: RaftError?
            shard.node.propose(head: head, payload: ByteBuffer()) { result in
                if case .failure(let error) = result { refusal = error }
            }
            if let refusal { return completion(.failure(refusal)) }
        }
        shard.node.propose(head: last, payload: ByteBuffer()) { result in
            completion(result.map { shard.node.response(at: $0) })
        }
    }
}
