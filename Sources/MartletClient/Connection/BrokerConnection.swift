import Glibc
import KafkaWire
import NIOCore
import NIOPosix

/// One connection to one broker, with the versions the broker speaks.
///
/// Requests may be sent on its event loop only; a trap catches others.
struct BrokerConnection: Sendable {
    let address: BrokerAddress
    let versions: ApiVersions
    private let channel: any Channel
    private let handler: NIOLoopBound<BrokerChannelHandler>
    private let clientID: String
    private let requestTimeout: TimeAmount

    var isActive: Bool { channel.isActive }

    /// Connects, and asks the broker for its versions.
    ///
    /// - Returns: a future that fails with a ``KafkaClientError`` only.
    static func open(
        _ address: BrokerAddress, on eventLoop: any EventLoop, _ configuration: KafkaClientConfiguration
    ) -> EventLoopFuture<BrokerConnection> {
        eventLoop.preconditionInEventLoop()
        let peer = "broker \(address)"
        // Addresses come from brokers too, and the system calls take no other ports.
        guard (1...65_535).contains(address.port) else {
            return eventLoop.makeFailedFuture(
                KafkaClientError(.connectionFailed, "\(peer) has a port that does not exist"))
        }
        let handler = NIOLoopBound(
            BrokerChannelHandler(peer: peer, responseBytesMaximum: configuration.responseBytesMaximum),
            eventLoop: eventLoop
        )
        let connected = ClientBootstrap(group: eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: Self.readSizes)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
            .connect(host: address.host, port: address.port)
            .flatMapErrorThrowing { error in
                throw KafkaClientError(.connectionFailed, "no connection to \(peer): \(reason(error))")
            }
        return connected.flatMap { channel in
            let connection = BrokerConnection(
                address: address, versions: ApiVersions(), channel: channel, handler: handler, configuration)
            return connection.negotiated()
        }
    }

    /// What of NIO's errors a person wants to know.
    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return reason(first.error) }
            return "the host \(error.host) is unknown"
        case let error as IOError: return String(cString: strerror(error.errnoCode))
        case ChannelError.connectTimeout: return "it took too long"
        default: return "\(error)"
        }
    }

    /// Fetch responses are large: reading 64 KiB at a time, NIO's maximum, would cost a system call for each.
    private static let readSizes = AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 8_192, maximum: 1_048_576)

    private init(
        address: BrokerAddress, versions: ApiVersions, channel: any Channel,
        handler: NIOLoopBound<BrokerChannelHandler>, _ configuration: KafkaClientConfiguration
    ) {
        self.address = address
        self.versions = versions
        self.channel = channel
        self.handler = handler
        clientID = configuration.clientID
        requestTimeout = TimeAmount(configuration.requestTimeout)
    }

    private init(_ other: BrokerConnection, versions: ApiVersions) {
        address = other.address
        channel = other.channel
        handler = other.handler
        clientID = other.clientID
        requestTimeout = other.requestTimeout
        self.versions = versions
    }

    func close() {
        handler.value.fail(.closed)
    }

    // MARK: - Requests

    /// Sends a request in the highest version both sides have.
    ///
    /// - Parameters:
    ///   - maximumVersion: the highest version that the request's fields are good for.
    ///   - wait: how long the request itself asks the broker to wait.
    ///   - completion: called on the event loop, once; perhaps before this returns.
    func send<Request: KafkaRequest>(
        _ request: Request, maximumVersion: Int16 = .max, wait: TimeAmount = .zero,
        completion: @escaping (Result<Request.Response, KafkaClientError>) -> Void
    ) {
        let version: Int16
        let correlationID = handler.value.takeCorrelationID()
        let frame: WireFrame
        do throws(KafkaClientError) {
            version = try versions.highest(of: Request.self, upTo: maximumVersion)
            frame = try encode(request, version: version, correlationID: correlationID)
        } catch {
            completion(.failure(error))
            return
        }
        handler.value.send(frame, correlationID: correlationID, timeout: requestTimeout + wait) { result in
            completion(result.flatMap { Self.decode($0, answering: Request.self, version: version) })
        }
    }

    /// Sends a Produce request with acks=0, which gets no response.
    ///
    /// - Parameter completion: called when the system has taken the bytes.
    func sendUnanswered(
        _ request: ProduceRequest, maximumVersion: Int16,
        completion: @escaping (Result<Void, KafkaClientError>) -> Void
    ) {
        do throws(KafkaClientError) {
            let version = try versions.highest(of: ProduceRequest.self, upTo: maximumVersion)
            let correlationID = handler.value.takeCorrelationID()
            let frame = try encode(request, version: version, correlationID: correlationID)
            handler.value.sendUnanswered(frame, timeout: requestTimeout, completion: completion)
        } catch {
            completion(.failure(error))
        }
    }

    private func encode<Request: KafkaRequest>(
        _ request: Request, version: Int16, correlationID: Int32
    ) throws(KafkaClientError) -> WireFrame {
        do {
            return try WireFrame(request, version: version, correlationID: correlationID, clientID: clientID)
        } catch {
            throw KafkaClientError(.invalidArgument, "\(Request.api) request cannot be written: \(error)")
        }
    }

    private static func decode<Request: KafkaRequest>(
        _ frame: ByteBuffer, answering: Request.Type, version: Int16
    ) -> Result<Request.Response, KafkaClientError> {
        do throws(WireError) {
            var body = frame
            _ = try ResponseHeader(from: &body, answering: Request.self, version: version)
            return .success(try Request.Response(decoding: body, version: version))
        } catch {
            return .failure(
                KafkaClientError(.invalidResponse, "\(Request.api) response of version \(version): \(error)"))
        }
    }

    // MARK: - Versions

    private func negotiated() -> EventLoopFuture<BrokerConnection> {
        let promise = channel.eventLoop.makePromise(of: BrokerConnection.self)
        negotiate(version: ApiVersionsRequest.versions.upperBound, promise)
        return promise.futureResult
    }

    /// Asks in `version`; a broker that does not have it answers in version 0 with `UNSUPPORTED_VERSION` and, if it is
    /// a good one, the versions it does have (KIP-511).
    private func negotiate(version: Int16, _ promise: EventLoopPromise<BrokerConnection>) {
        let correlationID = handler.value.takeCorrelationID()
        let request = ApiVersionsRequest {
            $0.clientSoftwareName = "martlet"
            $0.clientSoftwareVersion = "0.1"
        }
        let frame: WireFrame
        do throws(KafkaClientError) {
            frame = try encode(request, version: version, correlationID: correlationID)
        } catch {
            promise.fail(error)
            return
        }
        handler.value.send(frame, correlationID: correlationID, timeout: requestTimeout) { result in
            switch result.flatMap({ ApiVersions.Answer.read($0, askedIn: version) }) {
            case .success(.versions(let versions)):
                promise.succeed(BrokerConnection(self, versions: versions))
            case .success(.retry(let lower)):
                negotiate(version: lower, promise)
            case .failure(let error):
                handler.value.fail(error)
                promise.fail(error)
            }
        }
    }
}
