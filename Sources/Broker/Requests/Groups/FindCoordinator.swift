import Basics
import KafkaWire

/// FindCoordinator: the leader of the shard that keeps a group.
extension Broker {
    private enum KeyType {
        static let group: Int8 = 0
        static let transaction: Int8 = 1
        static let share: Int8 = 2
    }

    func findCoordinator(_ request: FindCoordinatorRequest, _ context: RequestContext) {
        context.respond(FindCoordinatorResponse { response in
            if context.version >= 4 {
                response.coordinators = request.coordinatorKeys.map { coordinator(of: $0, keyType: request.keyType) }
                return
            }
            let found = coordinator(of: request.key, keyType: request.keyType)
            response.errorCode = found.errorCode
            response.errorMessage = found.errorMessage
            response.nodeID = found.nodeID
            response.host = found.host
            response.port = found.port
        })
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
