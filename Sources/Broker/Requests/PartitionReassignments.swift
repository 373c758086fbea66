import Basics
import KafkaWire

/// AlterPartitionReassignments and ListPartitionReassignments (KIP-455). Every partition is on every broker, so there
/// is nothing to move, and nothing is ever being moved.
extension Broker {
    func alterReassignments(_ request: AlterPartitionReassignmentsRequest, _ context: RequestContext) {
        context.respond(AlterPartitionReassignmentsResponse { response in
            response.allowReplicationFactorChange = request.allowReplicationFactorChange
            response.topics = request.topics.map { topic in
                AlterPartitionReassignmentsResponse.Topic {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { partition in
                        let refusal = reasonNotToReassign(partition, of: metadata.topic(named: topic.name))
                        return AlterPartitionReassignmentsResponse.Partition {
                            $0.partitionIndex = partition.partitionIndex
                            $0.errorCode = refusal?.code ?? .none
                            $0.errorMessage = refusal?.message
                        }
                    }
                }
            }
        })
    }

    private func reasonNotToReassign(
        _ partition: AlterPartitionReassignmentsRequest.Partition, of topic: Topic?
    ) -> AdminRefusal? {
        guard let topic, partition.partitionIndex >= 0, partition.partitionIndex < topic.partitionCount else {
            return AdminRefusal(reasonForNoPartition(of: topic), "no such partition")
        }
        guard let replicas = partition.replicas else {
            return AdminRefusal(.noReassignmentInProgress, "the partition is not being moved")
        }
        guard replicas.sorted() == configuration.voters.map(\.rawValue).sorted() else {
            return AdminRefusal(.invalidReplicaAssignment, "every partition is on every broker of this cluster")
        }
        return nil
    }

    func listReassignments(_ request: ListPartitionReassignmentsRequest, _ context: RequestContext) {
        context.respond(ListPartitionReassignmentsResponse())
    }
}
