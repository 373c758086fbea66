import KafkaWire

/// Deleting records.
extension Admin {
    /// Deletes the records of a partition that lie before an offset.
    ///
    /// - Parameter offset: the first one to keep; nil deletes all there are.
    /// - Returns: the first offset that is left.
    /// - Throws: `broker` with `OFFSET_OUT_OF_RANGE` if the partition ends before that offset.
    @discardableResult
    public func deleteRecords(
        of partition: TopicPartition, before offset: Int64?
    ) async throws(KafkaClientError) -> Int64 {
        let known = try await cluster.partitions(of: partition.topic)
        guard known.contains(partition.partition) else {
            throw KafkaClientError(.unknownPartition, "there is no partition \(partition)")
        }
        let request = DeleteRecordsRequest {
            $0.timeoutMs = timeoutMs
            $0.topics = [
                .init {
                    $0.name = partition.topic
                    $0.partitions = [
                        .init {
                            $0.partitionIndex = partition.partition
                            $0.offset = offset ?? -1
                        }
                    ]
                }
            ]
        }
        let response = try await ask(request, "\(partition)", to: .leader(partition)) { response in
            (response.topics.first?.partitions.first?.errorCode, nil)
        }
        return response.topics.first?.partitions.first?.lowWatermark ?? -1
    }
}
