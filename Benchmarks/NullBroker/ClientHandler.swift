import KafkaWire
import NIOCore
import SegmentLog
import Networking

/// Topics that were asked for: name and number of partitions. Shared by all connections of the loop.
final class NullTopics {
    let port: Int32
    let records: RetainedRecords
    var partitions: [String: Int32] = [:]

    init(port: Int32, records: RetainedRecords) {
        self.port = port
        self.records = records
    }
}

/// A client's connection. Knows the few requests that `martlet bench produce` and `consume` make; of a batch it
/// checks the checksum.
///
/// Owner: its channel, on the event loop.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let node: NullNode
    private let topics: NullTopics
    private var frames = FrameAccumulator(frameBytesMax: 104_857_600, endianness: .big)
    private var context: ChannelHandlerContext?
    private var isFlushScheduled = false

    init(_ node: NullNode, _ topics: NullTopics) {
        self.node = node
        self.topics = topics
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        frames.append(unwrapInboundIn(data))
        while case .frame(let chain) = frames.next() {
            let frame = chain.joined
            do {
                try receive(frame)
            } catch {
                context.fireErrorCaught(error)
                context.close(promise: nil)
                return
            }
        }
    }

    private func receive(_ frame: ByteBuffer) throws {
        var body = frame
        let header = try RequestHeader(from: &body)
        switch header.api {
        case .produce: produce(try ProduceRequest(decoding: body, version: header.version), header)
        case .fetch: try answer(fetch(try FetchRequest(decoding: body, version: header.version)), header)
        case .listOffsets:
            try answer(listOffsets(try ListOffsetsRequest(decoding: body, version: header.version)), header)
        case .metadata: try answer(describe(try MetadataRequest(decoding: body, version: header.version)), header)
        case .createTopics: try answer(create(try CreateTopicsRequest(decoding: body, version: header.version)), header)
        default: try answer(apiVersions, header)
        }
    }

    // Committed in the order in which they were appended, so answers of one connection leave in their order.
    private func produce(_ request: ProduceRequest, _ header: RequestHeader) {
        var batch = ByteBuffer()
        let response = ProduceResponse { response in
            response.topics = request.topics.map { topic in
                ProduceResponse.Topic { answer in
                    answer.name = topic.name
                    answer.topicID = topic.topicID
                    answer.partitions = topic.partitions.map { partition in
                        batch = partition.records ?? ByteBuffer()
                        topics.records.append(batch, to: partition.index)
                        let isWhole = RecordBatchHeader(batch)?.crc == RecordBatchHeader.checksum(of: batch)
                        return ProduceResponse.Partition {
                            $0.index = partition.index
                            $0.errorCode = isWhole ? .none : .corruptMessage
                        }
                    }
                }
            }
        }
        node.append(batch) { [weak self] in try? self?.answer(response, header) }
    }

    private func fetch(_ request: FetchRequest) -> FetchResponse {
        var bytesLeft = Int(request.maxBytes)
        return FetchResponse { response in
            response.topics = request.topics.map { topic in
                FetchResponse.Topic { answer in
                    answer.name = topic.name
                    answer.topicID = topic.topicID
                    answer.partitions = topic.partitions.map { partition in
                        let bytes = topics.records.records(
                            from: partition.fetchOffset, of: partition.partition,
                            bytesMax: min(bytesLeft, Int(partition.partitionMaxBytes)))
                        bytesLeft -= bytes.readableBytes
                        return FetchResponse.Partition {
                            $0.partitionIndex = partition.partition
                            $0.highWatermark = topics.records.end(of: partition.partition)
                            $0.records = Records(bytes)
                        }
                    }
                }
            }
        }
    }

    private func listOffsets(_ request: ListOffsetsRequest) -> ListOffsetsResponse {
        ListOffsetsResponse { response in
            response.topics = request.topics.map { topic in
                ListOffsetsResponse.Topic { answer in
                    answer.name = topic.name
                    answer.partitions = topic.partitions.map { partition in
                        ListOffsetsResponse.Partition {
                            $0.partitionIndex = partition.partitionIndex
                            $0.offset = partition.timestamp == ListOffsetsRequest.Timestamp.earliest
                                ? 0 : topics.records.end(of: partition.partitionIndex)
                        }
                    }
                }
            }
        }
    }

    private var apiVersions: ApiVersionsResponse {
        ApiVersionsResponse { response in
            let served: [ApiKey] = [.produce, .fetch, .listOffsets, .metadata, .apiVersions, .createTopics]
            response.apis = ApiVersionTable.supported.filter { served.contains($0.api) }.map { support in
                ApiVersionsResponse.ApiVersion {
                    $0.api = support.api
                    $0.minVersion = support.advertised.lowerBound
                    $0.maxVersion = support.advertised.upperBound
                }
            }
        }
    }

    private func create(_ request: CreateTopicsRequest) -> CreateTopicsResponse {
        CreateTopicsResponse { response in
            response.topics = request.topics.map { topic in
                topics.partitions[topic.name] = max(topic.numPartitions, 1)
                return CreateTopicsResponse.Topic { $0.name = topic.name }
            }
        }
    }

    private func describe(_ request: MetadataRequest) -> MetadataResponse {
        MetadataResponse { response in
            response.controllerID = 1
            response.brokers = [
                MetadataResponse.Broker {
                    $0.nodeID = 1
                    $0.host = "127.0.0.1"
                    $0.port = topics.port
                }
            ]
            response.topics = (request.topics ?? []).map { wanted in
                MetadataResponse.Topic { topic in
                    topic.name = wanted.name
                    topic.topicID = TopicID(high: 1, low: 1)
                    topic.partitions = (0..<(topics.partitions[wanted.name ?? ""] ?? 1)).map { index in
                        MetadataResponse.Partition {
                            $0.partitionIndex = index
                            $0.leaderID = 1
                            $0.replicaNodes = [1]
                            $0.isrNodes = [1]
                        }
                    }
                }
            }
        }
    }

    private func answer<Response: KafkaResponse>(_ response: Response, _ header: RequestHeader) throws {
        guard let context else { return }
        let version = Response.versions.contains(header.version) ? header.version : Response.versions.lowerBound
        for part in try WireFrame(response, version: version, correlationID: header.correlationID) {
            context.write(wrapOutboundOut(part), promise: nil)
        }
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute { [self] in
            isFlushScheduled = false
            self.context?.flush()
        }
    }
}
