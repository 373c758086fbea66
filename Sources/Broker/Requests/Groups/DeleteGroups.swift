import KafkaWire
import Raft

/// DeleteGroups: groups without members, with their offsets.
extension Broker {
    func deleteGroups(_ request: DeleteGroupsRequest, _ context: RequestContext) {
        let context = context.withoutBytes
        let gathering = Gathering<DeleteGroupsResponse.Result>(count: request.groupsNames.count) { results in
            context.respond(DeleteGroupsResponse { $0.results = results })
        }
        for (position, groupID) in request.groupsNames.enumerated() {
            delete(groupID) { code in
                gathering.set(
                    position,
                    DeleteGroupsResponse.Result {
                        $0.groupID = groupID
                        $0.errorCode = code
                    })
            }
        }
    }

    private func delete(_ groupID: String, completion: @escaping (ErrorCode) -> Void) {
        do throws(GroupRefusal) {
            let coordinator = try coordinator(ofGroup: groupID)
            guard let group = coordinator.group(groupID) else { throw GroupRefusal(code: .groupIDNotFound) }
            guard !group.hasMembers else { throw GroupRefusal(code: .nonEmptyGroup) }
            coordinator.propose(.delete, to: groupID) { result in
                switch result {
                case .success(.refused(let code)): completion(code)
                case .success: completion(.none)
                case .failure(let error): completion(error.groupErrorCode)
                }
            }
        } catch {
            completion(error.code)
        }
    }
}
