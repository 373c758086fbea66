import Basics
import KafkaWire
import Logging
import NIOCore

/// JoinGroup (classic protocol): answered when the next generation is made, which takes as long as the slowest member.
extension Broker {
    func joinGroup(_ request: JoinGroupRequest, _ context: RequestContext) {
        let context = context.withoutBytes
        let answer: (JoinAnswer) -> Void = { context.respond(Self.response($0, version: context.version)) }
        do throws(GroupRefusal) {
            let coordinator = try coordinator(ofGroup: request.groupID)
            let join = try checkedJoin(request, context)
            logger.debug("a member joins its group", metadata: [
                "group": "\(request.groupID)", "member": "\(request.memberID)",
                "reason": "\(request.reason ?? "not given")",
            ])
            let waiting = WaitingJoin(
                maySkipAssignment: context.version >= 9, isWanted: { context.isWanted }, answer: answer)
            coordinator.join(join, request.groupID, requiresMemberID: context.version >= 4, waiting)
        } catch {
            answer(.refused(error.code, memberID: request.memberID))
        }
    }

    private func checkedJoin(
        _ request: JoinGroupRequest, _ context: RequestContext
    ) throws(GroupRefusal) -> ClassicJoin {
        guard !request.groupID.isEmpty else { throw GroupRefusal(code: .invalidGroupID) }
        guard configuration.groups.sessionTimeouts.contains(request.sessionTimeoutMs) else {
            throw GroupRefusal(code: .invalidSessionTimeout)
        }
        let bytes = request.protocols.reduce(0) { $0 + $1.name.utf8.count + $1.metadata.readableBytes }
        guard bytes <= configuration.groups.memberBytesMax else { throw GroupRefusal(code: .messageTooLarge) }
        return ClassicJoin(
            member: GroupMemberIdentity(request.memberID, instanceID: request.groupInstanceID), isNew: false,
            clientID: context.header.clientID ?? "", clientHost: context.connection?.remoteHost ?? "",
            sessionTimeout: request.sessionTimeoutMs,
            rebalanceTimeout: request.rebalanceTimeoutMs < 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
            protocolType: request.protocolType,
            protocols: request.protocols.map { ClassicJoin.SupportedProtocol(name: $0.name, metadata: $0.metadata) },
            sizeMax: configuration.groups.sizeMax)
    }

    private static func response(_ answer: JoinAnswer, version: Int16) -> JoinGroupResponse {
        JoinGroupResponse { response in
            switch answer {
            case .refused(let code, let memberID):
                response.errorCode = code
                response.memberID = memberID
                if version >= 7 { response.protocolName = nil }
            case .led(let generation, let memberID, let protocolName):
                response.generationID = generation
                response.protocolType = ConsumerProtocol.protocolType
                response.protocolName = protocolName
                response.memberID = memberID
            case .joined(let group, let memberID, let leaderID, let skipsAssignment):
                response.generationID = group.generation
                response.protocolType = group.protocolType
                response.protocolName = group.protocolName ?? ""
                response.leader = leaderID
                response.memberID = memberID
                response.skipAssignment = skipsAssignment && version >= 9
                guard leaderID == memberID else { return }
                response.members = group.sortedMembers.map { member in
                    JoinGroupResponse.Member {
                        $0.memberID = member.memberID
                        $0.groupInstanceID = member.instanceID
                        $0.metadata = member.metadata(for: group.protocolName)
                    }
                }
            }
        }
    }
}
