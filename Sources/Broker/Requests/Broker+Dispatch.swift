import Basics
import KafkaWire
import Logging
import NIOCore

/// From bytes to handlers.
extension Broker {
    /// Takes one request: header and body, without its length. The answer goes to `connection` in due order.
    ///
    /// - Throws: when the connection must be closed.
    public func receive(_ frame: ByteBuffer, from connection: ClientConnection) throws(RequestError) {
        var body = frame
        let header = try requestHeader(&body)
        let ticket = connection.responses.enqueue()
        try dispatch(RequestContext(header: header, frame: frame, body: body, origin: .client(connection, ticket)))
    }

    /// Takes a request that another broker passed on.
    public func receiveForwarded(_ frame: ByteBuffer, completion: @escaping (ByteBuffer?) -> Void) {
        do throws(RequestError) {
            var body = frame
            let header = try requestHeader(&body)
            try dispatch(RequestContext(header: header, frame: frame, body: body, origin: .peer(completion)))
        } catch {
            logger.warning("a peer passed on a request that cannot be served", metadata: ["error": "\(error)"])
            completion(nil)
        }
    }

    private func requestHeader(_ frame: inout ByteBuffer) throws(RequestError) -> RequestHeader {
        do {
            return try RequestHeader(from: &frame)
        } catch {
            throw .wire(error)
        }
    }

    private func dispatch(_ context: RequestContext) throws(RequestError) {
        let header = context.header
        guard let support = ApiVersionTable[header.api] else { throw .unknownAPI(header.api.rawValue) }
        guard support.serves(header.version) else {
            guard header.api == .apiVersions else { throw .unsupportedVersion(header.api, header.version) }
            return refuseApiVersions(context)
        }
        do {
            try handle(context)
        } catch let error as WireError {
            throw .wire(error)
        } catch let error as RequestError {
            throw error
        } catch {
            preconditionFailure("handlers throw only WireError and RequestError: \(error)")
        }
    }

    private func handle(_ context: RequestContext) throws {
        let body = context.body, version = context.version
        switch context.header.api {
        case .produce: produce(try ProduceRequest(decoding: body, version: version), context)
        case .fetch: fetch(try FetchRequest(decoding: body, version: version), context)
        case .listOffsets: listOffsets(try ListOffsetsRequest(decoding: body, version: version), context)
        case .metadata: describeMetadata(try MetadataRequest(decoding: body, version: version), context)
        case .findCoordinator: findCoordinator(try FindCoordinatorRequest(decoding: body, version: version), context)
        case .joinGroup: joinGroup(try JoinGroupRequest(decoding: body, version: version), context)
        case .syncGroup: syncGroup(try SyncGroupRequest(decoding: body, version: version), context)
        case .heartbeat: heartbeat(try HeartbeatRequest(decoding: body, version: version), context)
        case .leaveGroup: leaveGroup(try LeaveGroupRequest(decoding: body, version: version), context)
        case .offsetCommit: offsetCommit(try OffsetCommitRequest(decoding: body, version: version), context)
        case .offsetFetch: offsetFetch(try OffsetFetchRequest(decoding: body, version: version), context)
        case .offsetDelete: offsetDelete(try OffsetDeleteRequest(decoding: body, version: version), context)
        case .describeGroups: describeGroups(try DescribeGroupsRequest(decoding: body, version: version), context)
        case .listGroups: listGroups(try ListGroupsRequest(decoding: body, version: version), context)
        case .consumerGroupHeartbeat:
            consumerGroupHeartbeat(try ConsumerGroupHeartbeatRequest(decoding: body, version: version), context)
        case .consumerGroupDescribe:
            consumerGroupDescribe(try ConsumerGroupDescribeRequest(decoding: body, version: version), context)
        case .deleteGroups: deleteGroups(try DeleteGroupsRequest(decoding: body, version: version), context)
        case .apiVersions: apiVersions(try ApiVersionsRequest(decoding: body, version: version), context)
        case .initProducerID: initProducerID(try InitProducerIDRequest(decoding: body, version: version), context)
        case .offsetForLeaderEpoch:
            offsetForLeaderEpoch(try OffsetForLeaderEpochRequest(decoding: body, version: version), context)
        default: try administrate(context)
        }
    }

    /// Passes the request on to the leader of the metadata shard, or says that none can be reached.
    ///
    /// - Returns: false when the request is to be carried out here.
    func forwardToMetadataLeader(_ context: RequestContext, orElse refuse: @escaping () -> Void) -> Bool {
        if metadataShard.isServing { return false }
        guard !context.isForwarded, let leader = metadataShard.leader, leader != configuration.nodeID else {
            refuse()
            return true
        }
        forwarding.forward(context.frame, to: leader) { response in
            if let response { context.relay(response) } else { refuse() }
        }
        return true
    }
}
