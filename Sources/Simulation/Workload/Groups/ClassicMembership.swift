import KafkaWire

/// Who a member of a classic group is there, and what it asks as such.
struct ClassicMembership {
    let plan: GroupPlan
    let instanceID: String?
    var memberID = ""
    /// The newest that it was told of.
    var generation: Int32 = -1

    /// What its group may know it by, whichever of its processes it is.
    var name: String { instanceID ?? memberID }

    mutating func forget() {
        memberID = ""
        generation = -1
    }

    /// - Parameter assignors: that it supports, the one it likes best first.
    func join(_ subscription: ClassicSubscription, assignors: [String]) -> JoinGroupRequest {
        JoinGroupRequest { request in
            request.groupID = plan.id
            request.sessionTimeoutMs = Int32(plan.sessionTimeout)
            request.rebalanceTimeoutMs = Int32(plan.rebalanceTimeout)
            request.memberID = memberID
            request.groupInstanceID = instanceID
            request.protocolType = "consumer"
            request.protocols = assignors.map { assignor in
                JoinGroupRequest.SupportedProtocol {
                    $0.name = assignor
                    $0.metadata = subscription.encoded
                }
            }
        }
    }

    func sync(_ assignments: [SyncGroupRequest.Assignment], protocolName: String?) -> SyncGroupRequest {
        SyncGroupRequest { request in
            request.groupID = plan.id
            request.generationID = generation
            request.memberID = memberID
            request.groupInstanceID = instanceID
            request.protocolType = "consumer"
            request.protocolName = protocolName
            request.assignments = assignments
        }
    }

    var heartbeat: HeartbeatRequest {
        HeartbeatRequest {
            $0.groupID = plan.id
            $0.generationID = generation
            $0.memberID = memberID
            $0.groupInstanceID = instanceID
        }
    }

    var leave: LeaveGroupRequest {
        LeaveGroupRequest { request in
            request.groupID = plan.id
            request.members = [
                LeaveGroupRequest.Member {
                    $0.memberID = memberID
                    $0.groupInstanceID = instanceID
                }
            ]
        }
    }
}
