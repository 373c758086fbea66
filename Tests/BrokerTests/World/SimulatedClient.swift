import KafkaWire
import NIOCore

@testable import Broker

/// A client's connection to one broker of a world: encodes requests, decodes answers, and lets time pass to wait.
///
/// Owner: a test.
final class SimulatedClient {
    /// A request under way.
    final class Call<Request: KafkaRequest> {
        fileprivate(set) var response: Request.Response?
        var isAnswered: Bool { response != nil }
    }

    let connection = ClientConnection()
    let broker: SimulatedBroker
    private let process: SimulatedEventLoop?
    /// Held, so that a test that has a client has a world.
    private let world: World
    private var lastCorrelationID: Int32 = 0
    private var pending: [Int32: (ByteBuffer) throws -> Void] = [:]
    /// The requests that were answered, by number, in the order of the answers.
    private(set) var answered: [Int32] = []
    /// Whether the broker has closed the connection.
    private(set) var isClosed = false
    /// Why it did, if the request was at fault.
    private(set) var refusal: RequestError?
    private(set) var decodingError: (any Error)?

    init(of broker: SimulatedBroker, in world: World) {
        self.broker = broker
        self.world = world
        process = broker.process?.loop
        connection.onReady = { [weak self] in self?.takeResponses() }
        connection.onClose = { [weak self] in
            self?.isClosed = true
            self?.connection.closed()
        }
    }

    /// Sends a request, in the newest version offered unless another is asked for, and returns at once.
    func send<Request: KafkaRequest>(_ request: Request, version: Int16? = nil) throws -> Call<Request> {
        let version = version ?? ApiVersionTable[Request.api]?.advertised.upperBound ?? Request.versions.upperBound
        let call = Call<Request>()
        lastCorrelationID += 1
        let frame = try WireFrame(request, version: version, correlationID: lastCorrelationID, clientID: "test")
        pending[lastCorrelationID] = { frame in
            var body = frame
            _ = try ResponseHeader(from: &body, answering: Request.self, version: version)
            call.response = try Request.Response(decoding: body, version: version)
        }
        sendFrame(frame.withoutLength)
        return call
    }

    /// Sends bytes that may be no request at all.
    func sendFrame(_ frame: ByteBuffer) {
        guard connection.isOpen, !isStale else { return }
        broker.read { broker in
            do throws(RequestError) {
                try broker.receive(frame, from: connection)
            } catch {
                refusal = error
                isClosed = true
                connection.closed()
            }
        }
    }

    /// Sends a request and lets time pass until it is answered.
    func call<Request: KafkaRequest>(_ request: Request, version: Int16? = nil) throws -> Request.Response {
        try wait(for: send(request, version: version))
    }

    /// Lets time pass until `call` is answered.
    func wait<Request: KafkaRequest>(for call: Call<Request>) throws -> Request.Response {
        try world.run(until: "an answer to \(Request.self)") { call.isAnswered || isClosed || decodingError != nil }
        if let decodingError { throw decodingError }
        guard let response = call.response else {
            throw World.Timeout(description: "closed instead of an answer to \(Request.self)")
        }
        return response
    }

    /// Whether the process that this connection was made to is gone.
    var isStale: Bool { broker.process?.loop !== process }

    /// Closes the connection from this side.
    func close() { broker.read { _ in connection.closed() } }

    private func takeResponses() {
        while let frame = connection.nextResponse() {
            let bytes = frame.withoutLength
            guard let id: Int32 = bytes.getInteger(at: bytes.readerIndex) else { continue }
            answered.append(id)
            do {
                try pending.removeValue(forKey: id)?(bytes)
            } catch {
                decodingError = error
            }
        }
    }
}
