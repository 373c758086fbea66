import KafkaWire
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import MartletClient

/// A broker that answers as its test tells it to.
///
/// Answers come in the order of the requests, as the protocol demands. Each connection has its own task-free handler on
/// the event loop; the script is shared under a lock.
final class ScriptedBroker: Sendable {
    /// What to do with a request.
    enum Reply<Response: Sendable>: Sendable {
        case answer(Response)
        /// Never answer anything on this connection again: later answers would be taken for this one's.
        case silence
        /// A request that has no answer.
        case nothing
        case close
    }

    struct Script: Sendable {
        var versions: [ApiKey: ClosedRange<Int16>] = ScriptedBroker.allVersions
        /// The highest ApiVersions request that is understood.
        var highestApiVersions: Int16 = 4
        var metadata: @Sendable (MetadataRequest) -> MetadataResponse = { _ in MetadataResponse() }
        var produce: @Sendable (ProduceRequest) -> Reply<ProduceResponse> = { _ in .close }
        var fetch: @Sendable (FetchRequest) -> Reply<FetchResponse> = { _ in .close }
        var listOffsets: @Sendable (ListOffsetsRequest) -> ListOffsetsResponse = { _ in ListOffsetsResponse() }
        var createTopics: @Sendable (CreateTopicsRequest) -> CreateTopicsResponse = { _ in CreateTopicsResponse() }
        fileprivate var others: [ApiKey: @Sendable (RequestHeader, ByteBuffer) throws -> WireFrame] = [:]

        /// What to answer to a request that has no place of its own above.
        mutating func answer<Request: KafkaRequest>(
            _: Request.Type, _ body: @escaping @Sendable (Request) -> Request.Response
        ) {
            others[Request.api] = { header, bytes in
                let response = body(try Request(decoding: bytes, version: header.version))
                return try WireFrame(response, version: header.version, correlationID: header.correlationID)
            }
        }
    }

    static let allVersions = Dictionary(
        uniqueKeysWithValues: ApiVersionTable.supported.map { ($0.api, $0.advertised) })

    private struct State {
        var script = Script()
        var received: [(api: ApiKey, version: Int16)] = []
        var nextProducerID: Int64 = 1_000
    }

    let address: BrokerAddress
    private let channel: any Channel
    private let state: Mutex<State>

    private init(_ channel: any Channel, _ address: BrokerAddress) {
        self.channel = channel
        self.address = address
        state = Mutex(State())
    }

    /// Listens on a free port.
    static func start() async throws -> ScriptedBroker {
        let shared = SharedBroker()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(shared))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        let started = ScriptedBroker(channel, BrokerAddress(host: "127.0.0.1", port: port))
        shared.set(started)
        return started
    }

    func stop() async throws { try await channel.close() }

    func update(_ change: (inout Script) -> Void) { state.withLock { change(&$0.script) } }

    /// The versions in which an API was asked for, in order.
    func versions(of api: ApiKey) -> [Int16] {
        state.withLock { $0.received.filter { $0.api == api }.map(\.version) }
    }

    /// Waits until an API was asked for that many times.
    func received(_ api: ApiKey, count: Int) async throws {
        while versions(of: api).count < count {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    // MARK: - Answering

    fileprivate func answer(_ header: RequestHeader, _ body: ByteBuffer) throws -> Reply<WireFrame> {
        let script = state.withLock { $0.script }
        // Last, so that whoever waits for a request finds what it did.
        defer { state.withLock { $0.received.append((header.api, header.version)) } }
        switch header.api {
        case .apiVersions: return .answer(try apiVersions(header, script))
        case .metadata:
            let request = try MetadataRequest(decoding: body, version: header.version)
            return .answer(try frame(script.metadata(request), header))
        case .initProducerID:
            let id = state.withLock { state in
                state.nextProducerID += 1
                return state.nextProducerID
            }
            return .answer(try frame(InitProducerIDResponse { $0.producerID = id }, header))
        case .produce:
            let request = try ProduceRequest(decoding: body, version: header.version)
            return try map(script.produce(request)) { try frame($0, header) }
        case .fetch:
            let request = try FetchRequest(decoding: body, version: header.version)
            return try map(script.fetch(request)) { try frame($0, header) }
        case .listOffsets:
            let request = try ListOffsetsRequest(decoding: body, version: header.version)
            return .answer(try frame(script.listOffsets(request), header))
        case .createTopics:
            let request = try CreateTopicsRequest(decoding: body, version: header.version)
            return .answer(try frame(script.createTopics(request), header))
        default:
            guard let other = script.others[header.api] else { return .close }
            return .answer(try other(header, body))
        }
    }

    private func frame<Response: KafkaResponse>(_ response: Response, _ header: RequestHeader) throws -> WireFrame {
        try WireFrame(response, version: header.version, correlationID: header.correlationID)
    }

    private func map<Response>(
        _ reply: Reply<Response>, _ transform: (Response) throws -> WireFrame
    ) rethrows -> Reply<WireFrame> {
        switch reply {
        case .answer(let response): .answer(try transform(response))
        case .silence: .silence
        case .nothing: .nothing
        case .close: .close
        }
    }

    private func apiVersions(_ header: RequestHeader, _ script: Script) throws -> WireFrame {
        let isUnknown = header.version > script.highestApiVersions
        let response = ApiVersionsResponse {
            $0.errorCode = isUnknown ? .unsupportedVersion : .none
            $0.apis = script.versions.map { api, versions in
                .init {
                    $0.api = api
                    $0.minVersion = versions.lowerBound
                    $0.maxVersion = api == .apiVersions ? script.highestApiVersions : versions.upperBound
                }
            }
        }
        let version = isUnknown ? 0 : header.version
        return try WireFrame(response, version: version, correlationID: header.correlationID)
    }

    /// Lets handlers find the broker, whose address is known only once it listens.
    private final class SharedBroker: Sendable {
        private let broker = Mutex<ScriptedBroker?>(nil)

        func set(_ value: ScriptedBroker) { broker.withLock { $0 = value } }

        func get() -> ScriptedBroker? { broker.withLock { $0 } }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let broker: SharedBroker
        private var framer = ResponseFramer(bytesMaximum: 1 << 28)
        private var isSilent = false

        init(_ broker: SharedBroker) {
            self.broker = broker
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            framer.append(unwrapInboundIn(data))
            do {
                while !isSilent, var frame = try framer.next() {
                    let header = try RequestHeader(from: &frame)
                    switch try broker.get()?.answer(header, frame) ?? .close {
                    case .answer(let reply):
                        context.writeAndFlush(wrapOutboundOut(reply.contiguous), promise: nil)
                    case .silence: isSilent = true
                    case .nothing: break
                    case .close:
                        context.close(promise: nil)
                        return
                    }
                }
            } catch {
                Issue.record("the scripted broker could not read a request: \(error)")
                context.close(promise: nil)
            }
        }
    }
}
