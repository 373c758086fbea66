import Basics

/// The clients of one world.
///
/// Owner: the `Experiment`.
final class Workload {
    let history: History
    private let producers: [ProducerActor]
    private let consumers: [ConsumerActor]
    private let administrator: AdministratorActor
    let groups: GroupWorkload
    /// Those that a world may have or not.
    private let recordDeletion: RecordDeletionActor?
    private let scratchGroup: [ScratchGroupActor]
    let configurations: ConfigurationActor?

    init(_ options: WorkloadOptions, in world: World) {
        let history = History(in: world)
        self.history = history
        let acks: [Int16] = [-1, 1, 0]
        let kinds = (0..<options.idempotentProducers).map { _ in ProducerActor.Kind.idempotent }
            + (0..<options.plainProducers).map { .plain(acks: acks[$0 % 3]) }
        administrator = AdministratorActor(client: world.makeClient(), history: history, options: options)
        producers = kinds.enumerated().map { number, kind in
            ProducerActor(number, kind: kind, client: world.makeClient(), history: history, options: options)
        }
        consumers = (0..<options.consumers).map {
            ConsumerActor($0, client: world.makeClient(), history: history)
        }
        groups = GroupWorkload(options, in: world, history)
        recordDeletion = options.deletesRecords ? RecordDeletionActor(in: world, history) : nil
        scratchGroup = (options.deletesRecords ? [false, true] : []).map { [groups] onlyReads in
            ScratchGroupActor(in: world, history, groups.history.offsets, onlyReads: onlyReads)
        }
        configurations = options.changesConfigurations ? ConfigurationActor(in: world, history) : nil
    }

    func start() {
        administrator.start()
        for producer in producers { producer.start() }
        for consumer in consumers { consumer.start() }
        groups.start()
        recordDeletion?.start()
        for actor in scratchGroup { actor.start() }
        configurations?.start()
    }

    /// Nothing new is asked for; what must be acknowledged is seen through.
    func finish() {
        administrator.finish()
        for producer in producers { producer.finish() }
        for consumer in consumers { consumer.finish() }
        groups.finish()
        recordDeletion?.finish()
        for actor in scratchGroup { actor.finish() }
        configurations?.finish()
    }

    /// Whether an administrator still waits for an answer: what it asked for may change things any time.
    var isAdministered: Bool {
        administrator.isBusy || recordDeletion?.isBusy ?? false || configurations?.isBusy ?? false
    }

    /// What must be acknowledged in the end and is not yet.
    var undecided: [String] { producers.flatMap(\.undecided) }
}
