import Basics
import KafkaWire

/// Fetch (KIP-74, KIP-227): record batches from the leader, without sessions.
extension Broker {
    func fetch(_ request: FetchRequest, _ context: RequestContext) {
        // Sessions are declined, which every client accepts: a session we never gave cannot be continued.
        guard request.sessionID == 0 || request.sessionEpoch <= 0 else {
            return context.respond(FetchResponse { $0.errorCode = .fetchSessionIDNotFound })
        }
        FetchTask(request, context, broker: self).start()
    }
}
