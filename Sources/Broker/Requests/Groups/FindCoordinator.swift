import Basics
import KafkaWire
import NIOCore

/// FindCoordinator: the leader of the shard that keeps a group.
extension Broker {
    private enum KeyType {
        static let group: Int8 = 0
        static let transaction: Int8 = 1
        static let share: Int8 = 2
    }

    func findCoordinator(_ request: FindCoordinatorRequest, _ context: RequestContext) {
        answer(request, context.withoutBytes, waitingUntil: loop.now + Self.coordinatorWait)
    }

    private func answer(_ request: FindCoordinatorRequest, _ context: RequestContext, waitingUntil end: NIODeadline) {
        let keys = context.version >= 4 ? request.coordinatorKeys : [request.key]
        let found = keys.map { coordinator(of: $0, keyType: request.keyType) }
        guard loop.now < end, context.isWanted, found.contains(where: { $0.errorCode == .coordinatorNotAvailable })
        else { return context.respond(Self.response(found, version: context.version)) }
        let bound = NIOLoopBound((self, request, context), eventLoop: loop)
        loop.scheduleTask(in: .milliseconds(50)) {
            let (broker, request, context) = bound.value
            broker.answer(request, context, waitingUntil: end)
        }
    }

    private static func response(
        _ found: [FindCoordinatorResponse.Coordinator], version: Int16
    ) -> FindCoordinatorResponse {
        FindCoordinatorResponse { response in
            guard version < 4, let only = found.first else { return response.coordinators = found }
            response.errorCode = only.errorCode
            response.errorMessage = only.errorMessage
            response.nodeID = only.nodeID
            response.host = only.host
            response.port = only.port
        }
    }

    private func coordinator(of key: String, keyType: Int8) -> FindCoordinatorResponse.Coordinator {
        FindCoordinatorResponse.Coordinator { answer in
            answer.key = key
            answer.nodeID = -1
            answer.port = -1
            guard keyType == KeyType.group else {
                // Not an error that clients retry: there will be no such coordinator in a moment either.
                answer.errorCode = .invalidRequest
                answer.errorMessage = Self.refusal(ofKeyType: keyType)
                return
            }
            guard let leader = shard(ofGroup: key).leader.flatMap({ metadata.brokers[$0] }) else {
                answer.errorCode = .coordinatorNotAvailable
                answer.errorMessage = "the group's shard has no leader at the moment"
                return
            }
            answer.nodeID = leader.id.rawValue
            answer.host = leader.host
            answer.port = leader.port
        }
    }

    private static func refusal(ofKeyType keyType: Int8) -> String {
        switch keyType {
        case KeyType.transaction: "transactions are not served"
        case KeyType.share: "share groups are not served"
        default: "key type \(keyType) is unknown"
        }
    }
}
