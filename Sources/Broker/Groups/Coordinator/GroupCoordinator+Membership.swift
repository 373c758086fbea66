import Basics
import KafkaWire
import NIOCore
import Raft

/// The requests of members of the classic protocol.
extension GroupCoordinator {
    // MARK: JoinGroup

    /// - Parameters:
    ///   - request: the member's id may be empty: it has none yet.
    ///   - requiresMemberID: whether such a member must come back with the id it gets (KIP-394), so that a client that
    ///     gives up and begins anew leaves no members behind.
    func join(_ request: ClassicJoin, _ groupID: String, requiresMemberID: Bool, _ waiting: WaitingJoin) {
        var join = request
        let isNameless = request.member.memberID.isEmpty
        if isNameless { join.member.memberID = makeMemberID(for: request) }
        let memberID = join.member.memberID
        join.isNew = isNameless || existingCoordinatedGroup(groupID)?.pendingMembers[memberID] != nil
        if let error = refusal(of: join, groupID) {
            return waiting.answer(.refused(error, memberID: request.member.memberID))
        }
        if isNameless, requiresMemberID, join.member.instanceID == nil {
            return handOut(memberID, join, groupID, waiting)
        }
        if let group = classic(groupID), group.isUnchanged(by: join) {
            touch(memberID, of: groupID)
            return waiting.answer(
                .joined(group, memberID: memberID, leaderID: group.leaderID ?? "", skipsAssignment: false))
        }
        if consumer(groupID) != nil { return joinMixed(join, groupID, waiting) }
        coordinatedGroup(groupID).wait(waiting, as: memberID)
        propose(.classic(.join(join)), to: groupID) { [weak self] result in
            self?.joined(waiting, as: memberID, groupID, result)
        }
    }

    private func refusal(of join: ClassicJoin, _ groupID: String) -> ErrorCode? {
        guard let group = group(groupID) else { return ClassicGroup().refusal(of: join) }
        switch group.membership {
        case .none: return ClassicGroup().refusal(of: join)
        case .classic(let classic): return classic.refusal(of: join)
        case .consumer(let members):
            if members.isEmpty { return ClassicGroup().refusal(of: join) }
            return configuration.migration == .disabled ? .inconsistentGroupProtocol : members.refusal(of: join)
        }
    }

    /// A classic member joins a group of the new protocol.
    private func joinMixed(_ join: ClassicJoin, _ groupID: String, _ waiting: WaitingJoin) {
        let memberID = join.member.memberID
        consumers.join(join, groupID) { [weak self] result in
            let code: ErrorCode
            switch result {
            case .success(.consumerGroup(.success(let answer))):
                self?.existingCoordinatedGroup(groupID)?.removePending(memberID)
                return waiting.answer(
                    .led(
                        generation: answer?.memberEpoch ?? -1, memberID: memberID,
                        protocolName: join.protocols.first?.name ?? ""))
            case .success(.joinedGroup):
                // The last member of the new protocol has just left: this is a classic group again.
                guard let self else { return waiting.answer(.refused(.notCoordinator, memberID: memberID)) }
                self.coordinatedGroup(groupID).wait(waiting, as: memberID)
                return self.joined(waiting, as: memberID, groupID, result)
            case .success(.consumerGroup(.failure(let refusal))): code = refusal.code
            case .success(.refused(let refused)): code = refused
            case .success: preconditionFailure("the state machine answers a join with its outcome or a refusal")
            case .failure(let error): code = error.groupErrorCode
            }
            waiting.answer(.refused(code, memberID: memberID))
        }
    }

    private func handOut(_ memberID: String, _ join: ClassicJoin, _ groupID: String, _ waiting: WaitingJoin) {
        guard reservePendingMember() else {
            return waiting.answer(.refused(.coordinatorLoadInProgress, memberID: ""))
        }
        coordinatedGroup(groupID).addPending(memberID, until: now + .milliseconds(Int64(join.sessionTimeout)))
        waiting.answer(.refused(.memberIDRequired, memberID: memberID))
    }

    private func joined(
        _ waiting: WaitingJoin, as memberID: String, _ groupID: String, _ result: Result<CommandResult, RaftError>
    ) {
        guard let coordinated = existingCoordinatedGroup(groupID) else { return }
        switch result {
        case .success(.joinedGroup(let outcome)):
            guard let group = classic(groupID) else {
                // The last entries of the same block removed the member and deleted the group.
                return coordinated.refuseAll(as: memberID, .unknownMemberID)
            }
            if let replaced = outcome.replaced { coordinated.refuseAll(as: replaced.memberID, .fencedInstanceID) }
            guard coordinated.joined(waiting, as: memberID, of: group, now: now) else { return }
            guard outcome.isUnchanged, let replaced = outcome.replaced, coordinated.remove(waiting, as: memberID)
            else { return }
            answer(waiting, inPlaceOf: replaced, as: memberID, group)
        case .success(.refused(let code)):
            coordinated.removePending(memberID)
            guard coordinated.remove(waiting, as: memberID) else { return }
            waiting.answer(.refused(code, memberID: memberID))
        case .success:
            preconditionFailure("the state machine answers a join with its outcome or a refusal")
        case .failure(let error):
            guard coordinated.remove(waiting, as: memberID) else { return }
            waiting.answer(.refused(error.groupErrorCode, memberID: memberID))
        }
    }

    /// A static member is back and nothing changes. If it leads it must not assign, since a stable group would not take
    /// the assignments: a client that knows how is told so, any other is told of its former self as the leader.
    private func answer(
        _ waiting: WaitingJoin, inPlaceOf replaced: ClassicJoinOutcome.Replaced, as memberID: String,
        _ group: ClassicGroup
    ) {
        let leaderID = (waiting.maySkipAssignment ? group.leaderID : replaced.leaderID) ?? ""
        waiting.answer(
            .joined(group, memberID: memberID, leaderID: leaderID, skipsAssignment: leaderID == memberID))
    }

    // MARK: SyncGroup

    func sync(
        _ member: GroupMemberIdentity, _ groupID: String, protocolType: String?, protocolName: String?,
        _ waiting: WaitingSync
    ) {
        if let group = consumer(groupID) {
            return consumers.sync(member, generation: waiting.generation, group, groupID) { result in
                switch result {
                case .success(let assignment):
                    waiting.answer(
                        .assigned(assignment, protocolType: ConsumerProtocol.protocolType, protocolName: protocolName))
                case .failure(let refusal): waiting.answer(.refused(refusal.code))
                }
            }
        }
        guard let group = classic(groupID) else { return waiting.answer(.refused(.unknownMemberID)) }
        let refusal = group.refusalToSync(
            member, generation: waiting.generation, protocolType: protocolType, protocolName: protocolName)
        if let refusal { return waiting.answer(.refused(refusal)) }
        let memberID = member.memberID
        let coordinated = coordinatedGroup(groupID)
        coordinated.touch(memberID, of: group, now: now)
        coordinated.noteSync(memberID)
        if group.contradicts(waiting.assignments, of: memberID) {
            return waiting.answer(.refused(.rebalanceInProgress))
        }
        if group.state == .stable, let own = group.members[memberID] {
            return waiting.answer(SyncAnswer(own, of: group))
        }
        coordinated.wait(waiting, as: memberID)
        guard group.leaderID == memberID else { return }
        let sync = ClassicSync(memberID: memberID, generation: waiting.generation, assignments: waiting.assignments)
        propose(.classic(.sync(sync)), to: groupID) { [weak self] result in
            let code: ErrorCode
            switch result {
            case .success(.refused(let refused)): code = refused
            case .success: return
            case .failure(let error): code = error.groupErrorCode
            }
            if self?.existingCoordinatedGroup(groupID)?.remove(waiting, as: memberID) == true {
                waiting.answer(.refused(code))
            }
        }
    }

    // MARK: Heartbeat

    func heartbeat(_ member: GroupMemberIdentity, _ groupID: String, generation: Int32) -> ErrorCode {
        if let group = consumer(groupID) { return consumers.heartbeat(member, generation: generation, group, groupID) }
        guard let group = classic(groupID) else { return .unknownMemberID }
        let refusal = group.refusalOfHeartbeat(member, generation: generation)
        if refusal == nil || refusal == .rebalanceInProgress { touch(member.memberID, of: groupID) }
        return refusal ?? .none
    }

    // MARK: LeaveGroup

    /// - Parameters:
    ///   - members: an empty id with an instance id stands for whoever has that.
    ///   - completion: a code for each member, in their order; `.failure` for all when nothing could be written.
    func leave(
        _ members: [GroupMemberIdentity], _ groupID: String,
        completion: @escaping (Result<[ErrorCode], RaftError>) -> Void
    ) {
        let group: any ClassicMembership = consumer(groupID) ?? classic(groupID) ?? ClassicGroup()
        let coordinated = existingCoordinatedGroup(groupID)
        var leaving: [String] = []
        let codes = members.map { member -> ErrorCode in
            var member = member
            if member.memberID.isEmpty, let instanceID = member.instanceID {
                member.memberID = group.memberID(ofInstance: instanceID) ?? ""
            }
            if coordinated?.removePending(member.memberID) == true { return .none }
            if let error = group.refusal(of: member) { return error }
            leaving.append(member.memberID)
            return .none
        }
        guard !leaving.isEmpty else {
            // An id that was never used may have been what a rebalance waited for.
            observe(groupID)
            return completion(.success(codes))
        }
        propose(.classic(.remove(memberIDs: leaving)), to: groupID) { completion($0.map { _ in codes }) }
    }
}

/// What LeaveGroup asks of a group, whichever protocol it is of.
private protocol ClassicMembership {
    func memberID(ofInstance instanceID: String) -> String?
    func refusal(of member: GroupMemberIdentity) -> ErrorCode?
}

extension ClassicGroup: ClassicMembership {
    func memberID(ofInstance instanceID: String) -> String? { staticMembers[instanceID] }
}

extension ConsumerGroup: ClassicMembership {
    func memberID(ofInstance instanceID: String) -> String? { instances[instanceID] }
}

extension RaftError {
    /// What a client of the coordinator is told.
    var groupErrorCode: ErrorCode {
        switch self {
        case .notLeader, .leadershipLost, .storageFailed, .shutdown: .notCoordinator
        case .overloaded: .coordinatorNotAvailable
        // A client would try anything else again for ever.
        case .commandTooLarge: .unknownServerError
        }
    }
}
