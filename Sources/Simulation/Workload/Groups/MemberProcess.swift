import Basics
import KafkaWire

/// The process of a group's member. What it has under way ends with it; while it is stopped it hears and does nothing.
///
/// Owner: its actor.
final class MemberProcess {
    let groupID: String
    /// To the coordinator. Not the connection for records: an answer to JoinGroup holds up all that are behind it.
    private let client: SimulatedClient
    private let reading: SimulatedClient
    private let history: History
    let view: ClusterView
    private(set) var life = Life()
    private(set) var starts = 0
    private var coordinator: NodeID?
    var world: World { client.world }

    init(_ name: String, _ plan: GroupPlan, in world: World, history: History) {
        groupID = plan.id
        self.history = history
        client = world.makeClient()
        reading = world.makeClient()
        view = ClusterView(reading, names: plan.topicNames, random: world.random.fork("view of \(name)"))
    }

    // MARK: Lives

    func begin() {
        life = Life()
        starts += 1
    }

    /// - Parameter isMachine: the machine is gone and not only the process, so that nobody closes its connections.
    func end(isMachine: Bool = false) {
        life.end()
        coordinator = nil
        guard !isMachine else { return }
        client.disconnect()
        reading.disconnect()
    }

    func pause(for span: TimeSpan) { life.pause(until: world.scheduler.now + span) }

    func after(_ delay: TimeSpan, _ body: @escaping () -> Void) { world.scheduler.after(delay, for: life, body) }

    // MARK: Requests

    func refreshView(then body: @escaping () -> Void = {}) {
        let life = life
        view.refresh { [world] in world.scheduler.after(.zero, for: life, body) }
    }

    /// Asks a broker for records.
    func fetch(
        _ request: FetchRequest, from broker: NodeID, completion: @escaping (FetchResponse?) -> Void
    ) {
        ask(request, of: broker, over: reading, version: nil, timeout: .seconds(2), completion: completion)
    }

    /// Asks the group's coordinator, whom it looks for if need be; nil if there is no answer.
    func askCoordinator<Request: KafkaRequest>(
        _ request: Request, version: Int16? = nil, timeout: TimeSpan = .seconds(2),
        completion: @escaping (Request.Response?) -> Void
    ) {
        guard let coordinator else {
            return findCoordinator { [weak self] isFound in
                guard isFound else { return completion(nil) }
                self?.askCoordinator(request, version: version, timeout: timeout, completion: completion)
            }
        }
        ask(request, of: coordinator, over: client, version: version, timeout: timeout) { [weak self] response in
            if response == nil { self?.coordinator = nil }
            completion(response)
        }
    }

    /// It is another broker by now, or nobody knows.
    func forgetCoordinator() { coordinator = nil }

    private func findCoordinator(completion: @escaping (Bool) -> Void) {
        let request = FindCoordinatorRequest { $0.coordinatorKeys = [groupID] }
        ask(request, of: view.anyBroker(), over: client, version: nil, timeout: .seconds(2)) { [weak self] response in
            let found = response?.coordinators.first
            if let found, found.errorCode == .none { self?.coordinator = NodeID(found.nodeID) }
            completion(found?.errorCode == ErrorCode.none)
        }
    }

    private func ask<Request: KafkaRequest>(
        _ request: Request, of broker: NodeID, over client: SimulatedClient, version: Int16?, timeout: TimeSpan,
        completion: @escaping (Request.Response?) -> Void
    ) {
        let life = life
        history.statistics.calls += 1
        client.call(request, to: broker, version: version, timeout: timeout) { [world, history] result in
            world.scheduler.after(.zero, for: life) {
                switch result {
                case .success(let response): completion(response)
                case .failure:
                    history.statistics.failedCalls += 1
                    completion(nil)
                }
            }
        }
    }
}

extension ErrorCode {
    /// Another broker coordinates, or nobody does for the moment.
    var asksForCoordinator: Bool {
        self == .notCoordinator || self == .coordinatorNotAvailable || self == .coordinatorLoadInProgress
    }
}
