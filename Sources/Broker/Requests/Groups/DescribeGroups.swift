import Basics
import KafkaWire
import NIOCore

/// DescribeGroups: state and members of groups of the classic protocol.
extension Broker {
    /// What may be done with a group, as bits of Kafka's AclOperation: read, delete, describe. There are no users, so
    /// everybody may.
    static let groupOperations: Int32 = 1 << 3 | 1 << 6 | 1 << 8

    func describeGroups(_ request: DescribeGroupsRequest, _ context: RequestContext) {
        context.respond(DescribeGroupsResponse { response in
            response.groups = request.groups.map { groupID in
                var described = describe(groupID, version: context.version)
                if request.includeAuthorizedOperations, described.errorCode == .none {
                    described.authorizedOperations = Self.groupOperations
                }
                return described
            }
        })
    }

    private func describe(_ groupID: String, version: Int16) -> DescribeGroupsResponse.Group {
        DescribeGroupsResponse.Group { answer in
            answer.groupID = groupID
            do throws(GroupRefusal) {
                let coordinator = try coordinator(ofGroup: groupID), group = coordinator.group(groupID)
                switch group?.membership {
                case .none?:
                    answer.groupState = ClassicGroup.State.empty.rawValue
                case .classic(let classic)?:
                    Self.describe(classic, &answer)
                    // Beside no error it is a note: clients show it or do not.
                    answer.errorMessage = coordinator.holdUp(of: groupID)?.text
                case .consumer?, nil:
                    // ConsumerGroupDescribe is for those of the new protocol. Before version 6 a group that is not
                    // there is a dead one.
                    answer.groupState = "Dead"
                    guard version >= 6 else { return }
                    answer.errorCode = .groupIDNotFound
                    answer.errorMessage = "there is no group of this name that uses the classic protocol"
                }
            } catch {
                answer.errorCode = error.code
            }
        }
    }

    private static func describe(_ group: ClassicGroup, _ answer: inout DescribeGroupsResponse.Group) {
        let isStable = group.state == .stable
        answer.groupState = group.state.rawValue
        answer.protocolType = group.protocolType
        answer.protocolData = isStable ? group.protocolName ?? "" : ""
        answer.members = group.sortedMembers.map { member in
            DescribeGroupsResponse.Member {
                $0.memberID = member.memberID
                $0.groupInstanceID = member.instanceID
                $0.clientID = member.clientID
                $0.clientHost = "/\(member.clientHost)"
                guard isStable else { return }
                $0.memberMetadata = member.metadata(for: group.protocolName)
                $0.memberAssignment = member.assignment
            }
        }
    }
}
