import Basics
import Broker
import KafkaWire
import NIOCore

/// Why a request of a simulated client has no answer.
enum CallError: Error, Hashable, Sendable {
    case brokerIsDown
    case connectionLost
    case timedOut
}

/// A client process: speaks Kafka's protocol to the brokers over the simulated network.
///
/// Owner: the world. Requests under way are bounded by the actors that use it.
final class SimulatedClient {
    /// One connection: its two ends and what is asked over it.
    final class Link {
        let server = ClientConnection()
        /// The process that it leads to.
        let brokerLife: Life
        /// Reset, though the client has not noticed yet: what it sends is lost.
        var isReset = false
        /// Answers leave in the order of their requests.
        var lastAnswered: Int32 = 0
        var pending: [Int32: (Result<ByteBuffer, CallError>) -> Void] = [:]

        init(to life: Life) { brokerLife = life }

        func fail(_ error: CallError) {
            let lost = pending.sorted { $0.key < $1.key }
            pending = [:]
            for (_, completion) in lost { completion(.failure(error)) }
        }
    }

    let number: Int
    unowned let world: World
    private var links: [NodeID: Link] = [:]
    private var lastCorrelationID: Int32 = 0

    init(_ number: Int, in world: World) {
        self.number = number
        self.world = world
    }

    private var endpoint: Endpoint { .client(number) }

    /// Asks a broker, in the newest version offered unless another one is given.
    func call<Request: KafkaRequest>(
        _ request: Request, to id: NodeID, version: Int16? = nil, timeout: TimeSpan = .seconds(5),
        isAnswered: Bool = true, completion: @escaping (Result<Request.Response, CallError>) -> Void
    ) {
        guard let link = link(to: id) else {
            world.scheduler.after(.milliseconds(20)) { completion(.failure(.brokerIsDown)) }
            return
        }
        let newest = ApiVersionTable[Request.api]?.advertised.upperBound ?? Request.versions.upperBound
        let version = version ?? newest
        lastCorrelationID += 1
        let correlationID = lastCorrelationID
        let bytes: ByteBuffer
        do {
            bytes = try WireFrame(request, version: version, correlationID: correlationID, clientID: "client \(number)")
                .withoutLength
        } catch {
            return world.fail("client \(number) cannot encode \(Request.self) \(version): \(error)")
        }
        if isAnswered {
            expect(correlationID, on: link, of: id, timeout: timeout) { [world] result in
                completion(result.flatMap { frame in
                    do {
                        var body = frame
                        _ = try ResponseHeader(from: &body, answering: Request.self, version: version)
                        return .success(try Request.Response(decoding: body, version: version))
                    } catch {
                        world.fail("the answer to \(Request.self) \(version) cannot be read: \(error)")
                        return .failure(.connectionLost)
                    }
                })
            }
        }
        transmit(bytes, over: link, to: id)
    }

    private func expect(
        _ correlationID: Int32, on link: Link, of id: NodeID, timeout: TimeSpan,
        completion: @escaping (Result<ByteBuffer, CallError>) -> Void
    ) {
        link.pending[correlationID] = completion
        world.scheduler.after(timeout) { [weak self] in
            guard let self, link.pending[correlationID] != nil else { return }
            // As every Kafka client does: an answer that is overdue costs the connection.
            if links[id] === link { links[id] = nil }
            if !link.isReset { world.network.reset(endpoint, .broker(id)) }
            link.isReset = true
            close(link, of: id)
            link.fail(.timedOut)
        }
    }

    private func transmit(_ bytes: ByteBuffer, over link: Link, to id: NodeID) {
        guard !link.isReset else { return }
        world.network.send(from: endpoint, to: .broker(id)) { [world] in
            guard link.brokerLife.isAlive, link.server.isOpen, let broker = world.broker(id).broker else { return }
            do throws(RequestError) {
                try broker.receive(bytes, from: link.server)
            } catch {
                world.fail("broker \(id) refuses a request: \(error)")
            }
        }
    }

    private func link(to id: NodeID) -> Link? {
        if let link = links[id] { return link }
        guard world.broker(id).isRunning else { return nil }
        let link = Link(to: world.life(of: id))
        links[id] = link
        link.server.onReady = { [weak self, weak link] in
            guard let self, let link else { return }
            while let frame = link.server.nextResponse() { answer(frame.withoutLength, over: link, of: id) }
        }
        link.server.onClose = { [weak self, weak link] in
            guard let self, let link, !link.isReset, link.brokerLife.isAlive else { return }
            world.network.reset(endpoint, .broker(id))
        }
        return link
    }

    private func answer(_ bytes: ByteBuffer, over link: Link, of id: NodeID) {
        guard !link.isReset, link.brokerLife.isAlive else { return }
        world.network.send(from: .broker(id), to: endpoint) { [world] in
            guard let correlationID: Int32 = bytes.getInteger(at: bytes.readerIndex) else { return }
            if correlationID <= link.lastAnswered {
                world.fail("broker \(id) answers request \(correlationID) after \(link.lastAnswered)")
            }
            link.lastAnswered = correlationID
            link.pending.removeValue(forKey: correlationID)?(.success(bytes))
        }
    }

    /// The process has ended: its connections do too.
    func disconnect() {
        for id in links.keys.sorted() { world.network.reset(endpoint, .broker(id)) }
    }

    /// The network's word. Both ends notice later.
    func connectionReset(to id: NodeID) {
        guard let link = links[id], !link.isReset else { return }
        link.isReset = true
        world.scheduler.after(world.network.nextDelay()) { [weak self] in
            if let self, links[id] === link { links[id] = nil }
            link.fail(.connectionLost)
        }
        close(link, of: id)
    }

    /// The broker's end notices, if its process lives.
    private func close(_ link: Link, of id: NodeID) {
        world.scheduler.after(world.network.nextDelay(), for: link.brokerLife) { link.server.closed() }
    }
}
