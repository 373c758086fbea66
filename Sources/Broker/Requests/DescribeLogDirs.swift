import Basics
import KafkaWire

/// DescribeLogDirs (KIP-113, KIP-827): this broker's directory, what each partition takes of it, and the volume's room.
///
/// A partition's size is that of its batches as their producers sent them. They share blocks with those of other
/// partitions and are compressed there, so what they take on disk is usually less and belongs to nobody alone.
extension Broker {
    func describeLogDirs(_ request: DescribeLogDirsRequest, _ context: RequestContext) {
        guard let volume else { return context.respond(logDirsResponse(request, nil)) }
        let context = context.withoutBytes
        volume.measure { [weak self] space in
            guard let self else { return }
            context.respond(self.logDirsResponse(request, space))
        }
    }

    private func logDirsResponse(_ request: DescribeLogDirsRequest, _ space: VolumeSpace?) -> DescribeLogDirsResponse {
        DescribeLogDirsResponse { response in
            response.results = [
                DescribeLogDirsResponse.Directory {
                    $0.logDir = configuration.logDirectory
                    $0.topics = logDirTopics(request.topics)
                    $0.totalBytes = space?.total ?? -1
                    $0.usableBytes = space?.usable ?? -1
                }
            ]
        }
    }

    /// Those asked for that there are, all when `wanted` is nil.
    private func logDirTopics(_ wanted: [DescribeLogDirsRequest.Topic]?) -> [DescribeLogDirsResponse.Topic] {
        let named = wanted.map { Dictionary($0.map { ($0.topic, Set($0.partitions)) }) { $0.union($1) } }
        return metadata.sortedTopics.compactMap { topic in
            let partitions = (0..<topic.partitionCount).filter { named?[topic.name, default: []].contains($0) ?? true }
            guard !partitions.isEmpty else { return nil }
            return DescribeLogDirsResponse.Topic {
                $0.name = topic.name
                $0.partitions = partitions.map { index in
                    let key = PartitionKey(topic.number, index)
                    return DescribeLogDirsResponse.Partition {
                        $0.partitionIndex = index
                        $0.partitionSize = Int64(shard(of: key).state(of: key)?.bytes ?? 0)
                    }
                }
            }
        }
    }
}
