import KafkaWire
import NIOCore

/// SyncGroup (classic protocol): takes the leader's assignments and gives every member its own.
extension Broker {
    func syncGroup(_ request: SyncGroupRequest, _ context: RequestContext) {
        let context = context.withoutBytes
        let assignments = request.assignments.map {
            ClassicSync.Assignment(memberID: $0.memberID, assignment: $0.assignment)
        }
        let waiting = WaitingSync(generation: request.generationID, assignments: assignments) { answer in
            context.respond(SyncGroupResponse { response in
                switch answer {
                case .refused(let code):
                    response.errorCode = code
                case .assigned(let assignment, let protocolType, let protocolName):
                    response.protocolType = protocolType
                    response.protocolName = protocolName
                    response.assignment = assignment
                }
            })
        }
        do throws(GroupRefusal) {
            guard !request.groupID.isEmpty else { throw GroupRefusal(code: .invalidGroupID) }
            // From version 5 on a member says what it was told when it joined.
            guard context.version < 5 || request.protocolType != nil && request.protocolName != nil else {
                throw GroupRefusal(code: .inconsistentGroupProtocol)
            }
            try coordinator(ofGroup: request.groupID).sync(
                GroupMemberIdentity(request.memberID, instanceID: request.groupInstanceID), request.groupID,
                protocolType: request.protocolType, protocolName: request.protocolName, waiting)
        } catch {
            waiting.answer(.refused(error.code))
        }
    }
}
