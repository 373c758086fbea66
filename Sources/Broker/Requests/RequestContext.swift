import Basics
import KafkaWire
import NIOCore

/// Why a request cannot be answered at all: its connection is closed, as Kafka does.
public enum RequestError: Error, Hashable, Sendable, CustomStringConvertible {
    case wire(WireError)
    case unknownAPI(Int16)
    case unsupportedVersion(ApiKey, Int16)

    public var description: String {
        switch self {
        case .wire(let error): "the request cannot be decoded: \(error)"
        case .unknownAPI(let key): "API key \(key) is not served"
        case .unsupportedVersion(let api, let version): "\(api) version \(version) is not served"
        }
    }
}

/// One request under way: what was asked, and where the answer goes. Answered once.
struct RequestContext {
    enum Origin {
        case client(ClientConnection, ResponseQueue.Ticket)
        /// Another broker passed it on; the answer goes back there, without its length.
        case peer((ByteBuffer?) -> Void)
    }

    let header: RequestHeader
    /// Header and body, as they came.
    let frame: ByteBuffer
    let body: ByteBuffer
    let origin: Origin

    var version: Int16 { header.version }

    /// The same without the request's bytes: who only waits to answer does not keep them in memory.
    var withoutBytes: RequestContext {
        RequestContext(header: header, frame: ByteBuffer(), body: ByteBuffer(), origin: origin)
    }

    /// Whether another broker passed the request on: it must not be passed on again.
    var isForwarded: Bool {
        if case .peer = origin { return true }
        return false
    }

    /// The client's connection; nil for a request that another broker passed on.
    var connection: ClientConnection? {
        if case .client(let connection, _) = origin { return connection }
        return nil
    }

    /// Whether anybody still waits for the answer.
    var isWanted: Bool { connection?.isOpen ?? true }

    func respond<Response: KafkaResponse>(_ response: Response) {
        do {
            finish(try WireFrame(response, version: version, correlationID: header.correlationID))
        } catch {
            // A handler built a response that its version cannot carry. The client gets no wrong answer, but an end.
            fail()
        }
    }

    /// Ends the request without an answer (Produce with acks=0).
    func finishSilently() {
        switch origin {
        case .client(let connection, let ticket): connection.complete(ticket, with: nil)
        case .peer(let completion): completion(nil)
        }
    }

    /// Ends the connection: the client must notice that something went wrong, and has no other way to.
    func fail() {
        switch origin {
        case .client(let connection, _): connection.close()
        case .peer(let completion): completion(nil)
        }
    }

    private func finish(_ frame: WireFrame) {
        switch origin {
        case .client(let connection, let ticket): connection.complete(ticket, with: frame)
        case .peer(let completion):
            completion(frame.withoutLength)
        }
    }

    /// Answers with a response that another broker made for this very request.
    func relay(_ response: ByteBuffer) {
        switch origin {
        case .client(let connection, let ticket): connection.complete(ticket, with: WireFrame(framing: response))
        case .peer(let completion): completion(response)
        }
    }
}
