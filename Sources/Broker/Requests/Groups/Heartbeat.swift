import KafkaWire

/// Heartbeat (classic protocol): answered from the state and the timers, nothing is written.
extension Broker {
    func heartbeat(_ request: HeartbeatRequest, _ context: RequestContext) {
        context.respond(HeartbeatResponse { response in
            do throws(GroupRefusal) {
                guard !request.groupID.isEmpty else { throw GroupRefusal(code: .invalidGroupID) }
                response.errorCode = try coordinator(ofGroup: request.groupID).heartbeat(
                    GroupMemberIdentity(request.memberID, instanceID: request.groupInstanceID), request.groupID,
                    generation: request.generationID)
            } catch {
                response.errorCode = error.code
            }
        })
    }
}
