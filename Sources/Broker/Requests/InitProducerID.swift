import Basics
import KafkaWire
import Raft

/// InitProducerId (KIP-98, KIP-360): an id that no other producer of the cluster ever had.
extension Broker {
    func initProducerID(_ request: InitProducerIDRequest, _ context: RequestContext) {
        func refuse(_ code: ErrorCode) {
            context.respond(InitProducerIDResponse { $0.errorCode = code })
        }
        // Transactions need a coordinator that this broker does not have: better refused than half kept.
        guard request.transactionalID == nil else { return refuse(.transactionalIDNotFound) }
        // While no leader can be reached: LOAD_IN_PROGRESS makes clients ask again. NOT_AVAILABLE would make them look
        // for a transaction coordinator, and some give up when there is none.
        guard !forwardToMetadataLeader(context, orElse: { refuse(.coordinatorLoadInProgress) }) else { return }
        propose(.allocateProducerID, in: metadataShard) { result in
            switch result {
            case .success(.producerID(let id)):
                context.respond(InitProducerIDResponse {
                    $0.producerID = id
                    $0.producerEpoch = 0
                })
            case .success: preconditionFailure("the state machine answers an allocation with an id")
            case .failure(.storageFailed), .failure(.shutdown): refuse(.kafkaStorageError)
            case .failure: refuse(.coordinatorLoadInProgress)
            }
        }
    }
}
