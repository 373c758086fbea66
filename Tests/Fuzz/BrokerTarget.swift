import Basics
import Broker
import KafkaWire
import NIOCore
import Simulation

/// Any bytes as requests to a broker that runs: an answer in due order, or the connection is closed, and the broker
/// goes on.
///
///     offset size
///          0    2  length of a request
///          2    …  a request: header and body; then the next
enum BrokerTarget {
    private static let requestsMax = 4

    /// A topic that exists.
    static let topic = "t"

    static func run(_ input: ByteBuffer) {
        var input = input
        var options = World.Options()
        options.brokerCount = 1
        let world = World(seed: 1, options: options)
        defer { world.end() }
        world.brokers[0].start()
        world.run(for: .milliseconds(60))
        guard let broker = world.brokers[0].broker else { preconditionFailure("the broker does not run") }
        createTopic(broker, world)
        let connection = ClientConnection()
        for _ in 0..<requestsMax {
            guard let length = input.readInteger(as: UInt16.self),
                let request = input.readSlice(length: min(Int(length), input.readableBytes))
            else { break }
            do throws(RequestError) {
                try broker.receive(request, from: connection)
            } catch {
                break
            }
            world.run(for: .milliseconds(20))
        }
        while connection.nextResponse() != nil {}
        connection.closed()
        world.run(for: .milliseconds(20))
        precondition(world.violation == nil, world.violation ?? "")
        precondition(world.brokers[0].broker?.shardReports.allSatisfy(\.isServing) == true, "the broker has stopped")
    }

    private static func createTopic(_ broker: Broker, _ world: World) {
        let request = CreateTopicsRequest { request in
            request.topics = [
                CreateTopicsRequest.Topic {
                    $0.name = topic
                    $0.numPartitions = 2
                    $0.replicationFactor = -1
                }
            ]
        }
        do {
            let frame = try WireFrame(request, version: 7, correlationID: 0, clientID: nil)
            try broker.receive(frame.withoutLength, from: ClientConnection())
        } catch {
            preconditionFailure("the topic cannot be created: \(error)")
        }
        world.run(for: .milliseconds(20))
    }
}
