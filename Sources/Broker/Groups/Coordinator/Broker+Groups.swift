import Basics
import KafkaWire
import NIOCore
import Raft
import RaftCore

/// Why a group's request is not carried out here.
struct GroupRefusal: Error {
    let code: ErrorCode
}

/// How the broker comes to its groups.
extension Broker {
    /// The shard that keeps a group; its leader is the group's coordinator.
    func shard(ofGroup groupID: String) -> Shard {
        shards[Int(GroupID.shard(of: groupID, among: shards.count).rawValue)]
    }

    /// How long an answer may wait for a coordinator: elections are shorter, and some clients give up, or wait for
    /// minutes, when they are told a few times that there is none.
    static var coordinatorWait: TimeAmount { .seconds(1) }

    /// The coordinator of a group, if that is this broker.
    func coordinator(ofGroup groupID: String) throws(GroupRefusal) -> GroupCoordinator {
        let shard = shard(ofGroup: groupID)
        if shard.isServing, let coordinator = shard.groupCoordinator { return coordinator }
        // A leader that has not applied all that earlier ones committed does not know its groups yet.
        let isLoading = shard.node.status.role == .leader
        throw GroupRefusal(code: isLoading ? .coordinatorLoadInProgress : .notCoordinator)
    }

    /// Commands of a shard were applied: its coordinator follows, or takes office.
    func followGroups(of shard: Shard) {
        let touched = shard.machine.takeTouchedGroups()
        if let coordinator = shard.groupCoordinator {
            for groupID in touched { coordinator.observe(groupID) }
        } else if shard.isServing {
            shard.groupCoordinator = makeCoordinator(of: shard)
        }
    }

    /// This broker no longer leads the shard.
    func endGroupOffice(_ shard: Shard) {
        let former = shard.groupCoordinator
        shard.groupCoordinator = nil
        former?.resign()
    }

    private func makeCoordinator(of shard: Shard) -> GroupCoordinator {
        let surroundings = GroupCoordinator.Surroundings(
            group: { [unowned shard] in shard.machine.groups[$0] },
            groupIDs: { [unowned shard] in shard.machine.groups.groups.keys.sorted() },
            propose: { [unowned self, unowned shard] command, completion in
                self.propose(.group(command), in: shard, completion: completion)
            },
            now: { [loop] in loop.now },
            wallClock: wallClock,
            metadata: { [unowned self] in self.metadata },
            knowsAllTopics: { [unowned self] in self.knowsAllTopics })
        return GroupCoordinator(configuration.groups, surroundings, seed: random.next())
    }
}
