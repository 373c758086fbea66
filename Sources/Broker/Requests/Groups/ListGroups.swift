import Basics
import KafkaWire
import Raft
import RaftCore

/// ListGroups: the groups that this broker coordinates.
extension Broker {
    func listGroups(_ request: ListGroupsRequest, _ context: RequestContext) {
        context.respond(ListGroupsResponse { response in
            for shard in shards where shard.node.status.role == .leader {
                guard shard.isServing else {
                    response.errorCode = .coordinatorLoadInProgress
                    continue
                }
                for (groupID, group) in shard.machine.groups.groups.sorted(by: { $0.key < $1.key })
                where request.wants(group) {
                    response.groups.append(
                        ListGroupsResponse.Group {
                            $0.groupID = groupID
                            $0.protocolType = group.protocolType
                            $0.groupState = group.stateName
                            $0.groupType = group.typeName
                        })
                }
            }
        })
    }
}

extension ListGroupsRequest {
    /// No filter lets all pass; case does not count.
    fileprivate func wants(_ group: Group) -> Bool {
        Self.passes(group.stateName, statesFilter) && Self.passes(group.typeName, typesFilter)
    }

    private static func passes(_ name: String, _ filter: [String]) -> Bool {
        filter.isEmpty || filter.contains { $0.lowercased() == name.lowercased() }
    }
}
