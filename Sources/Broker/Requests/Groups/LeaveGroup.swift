import KafkaWire
import Logging

/// LeaveGroup (classic protocol): one member, or several from version 3 on.
extension Broker {
    func leaveGroup(_ request: LeaveGroupRequest, _ context: RequestContext) {
        let context = context.withoutBytes
        let members = context.version >= 3
            ? request.members : [LeaveGroupRequest.Member { $0.memberID = request.memberID }]
        let refuse: (ErrorCode) -> Void = { code in context.respond(LeaveGroupResponse { $0.errorCode = code }) }
        do throws(GroupRefusal) {
            guard !request.groupID.isEmpty else { throw GroupRefusal(code: .invalidGroupID) }
            for member in members {
                logger.debug("a member leaves its group", metadata: [
                    "group": "\(request.groupID)", "member": "\(member.memberID)",
                    "reason": "\(member.reason ?? "not given")",
                ])
            }
            let leaving = members.map { GroupMemberIdentity($0.memberID, instanceID: $0.groupInstanceID) }
            try coordinator(ofGroup: request.groupID).leave(leaving, request.groupID) { result in
                switch result {
                case .failure(let error): refuse(error.groupErrorCode)
                case .success(let codes):
                    context.respond(Self.response(members, codes, version: context.version))
                }
            }
        } catch {
            refuse(error.code)
        }
    }

    private static func response(
        _ members: [LeaveGroupRequest.Member], _ codes: [ErrorCode], version: Int16
    ) -> LeaveGroupResponse {
        LeaveGroupResponse { response in
            guard version >= 3 else {
                response.errorCode = codes.first ?? .none
                return
            }
            response.members = zip(members, codes).map { member, code in
                LeaveGroupResponse.Member {
                    $0.memberID = member.memberID
                    $0.groupInstanceID = member.groupInstanceID
                    $0.errorCode = code
                }
            }
        }
    }
}
