import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// The state machine of a group of the classic protocol, transition by transition.
@Suite struct ClassicGroupTests {
    // MARK: The table

    /// A group in one state with the members "a", who leads, and "b"; "a" alone if not stated otherwise.
    private static func group(_ state: ClassicGroup.State) -> ClassicGroup {
        var group = ClassicGroup()
        guard state != .empty else { return group }
        _ = group.apply(.join(.sample("a")))
        _ = group.apply(.join(.sample("b")))
        guard state != .preparingRebalance else { return group }
        _ = group.apply(.completeJoin(generation: 0))
        guard state != .completingRebalance else { return group }
        _ = group.apply(.sync(.sample("a", generation: 1, ["a": "1", "b": "2"])))
        return group
    }

    struct Transition: CustomTestStringConvertible, Sendable {
        let from: ClassicGroup.State
        let name: String
        let command: ClassicGroupCommand
        let to: ClassicGroup.State
        let generation: Int32

        init(
            _ from: ClassicGroup.State, _ name: String, _ command: ClassicGroupCommand, _ to: ClassicGroup.State,
            _ generation: Int32
        ) {
            self.from = from
            self.name = name
            self.command = command
            self.to = to
            self.generation = generation
        }

        var testDescription: String { "\(from): \(name) → \(to)" }
    }

    static let transitions: [Transition] = [
        Transition(.empty, "join", .join(.sample("c")), .preparingRebalance, 0),
        Transition(.empty, "completeJoin", .completeJoin(generation: 0), .empty, 0),
        Transition(.empty, "sync", .sync(.sample("a", generation: 0)), .empty, 0),
        Transition(.empty, "remove", .remove(memberIDs: ["a"]), .empty, 0),

        Transition(.preparingRebalance, "another joins", .join(.sample("c")), .preparingRebalance, 0),
        Transition(.preparingRebalance, "a member joins again", .join(.known("a")), .preparingRebalance, 0),
        Transition(.preparingRebalance, "completeJoin", .completeJoin(generation: 0), .completingRebalance, 1),
        Transition(.preparingRebalance, "completeJoin of old", .completeJoin(generation: 7), .preparingRebalance, 0),
        Transition(.preparingRebalance, "sync", .sync(.sample("a", generation: 0)), .preparingRebalance, 0),
        Transition(.preparingRebalance, "one is removed", .remove(memberIDs: ["a"]), .preparingRebalance, 0),
        Transition(.preparingRebalance, "all are removed", .remove(memberIDs: ["a", "b"]), .empty, 1),

        Transition(.completingRebalance, "another joins", .join(.sample("c")), .preparingRebalance, 1),
        Transition(.completingRebalance, "the same again", .join(.known("b")), .completingRebalance, 1),
        Transition(
            .completingRebalance, "new metadata", .join(.known("b", metadata: "else")), .preparingRebalance, 1),
        Transition(.completingRebalance, "completeJoin", .completeJoin(generation: 1), .completingRebalance, 1),
        Transition(.completingRebalance, "leader syncs", .sync(.sample("a", generation: 1)), .stable, 1),
        Transition(
            .completingRebalance, "follower syncs", .sync(.sample("b", generation: 1)), .completingRebalance, 1),
        Transition(
            .completingRebalance, "sync of old", .sync(.sample("a", generation: 0)), .completingRebalance, 1),
        Transition(.completingRebalance, "one is removed", .remove(memberIDs: ["b"]), .preparingRebalance, 1),
        Transition(.completingRebalance, "a stranger is removed", .remove(memberIDs: ["x"]), .completingRebalance, 1),
        Transition(.completingRebalance, "all are removed", .remove(memberIDs: ["b", "a"]), .empty, 2),

        Transition(.stable, "another joins", .join(.sample("c")), .preparingRebalance, 1),
        Transition(.stable, "a follower says the same", .join(.known("b")), .stable, 1),
        Transition(.stable, "a follower changes", .join(.known("b", metadata: "else")), .preparingRebalance, 1),
        Transition(.stable, "the leader rejoins", .join(.known("a")), .preparingRebalance, 1),
        Transition(.stable, "an unknown id joins", .join(.known("x")), .stable, 1),
        Transition(.stable, "completeJoin", .completeJoin(generation: 1), .stable, 1),
        Transition(.stable, "sync again", .sync(.sample("a", generation: 1, ["a": "9"])), .stable, 1),
        Transition(.stable, "one is removed", .remove(memberIDs: ["a"]), .preparingRebalance, 1),
        Transition(.stable, "all are removed", .remove(memberIDs: ["a", "b"]), .empty, 2),
    ]

    @Test(arguments: transitions) func `commands lead from state to state`(_ transition: Transition) {
        var group = Self.group(transition.from)
        _ = group.apply(transition.command)
        #expect(group.state == transition.to)
        #expect(group.generation == transition.generation)
        #expect(group.members.isEmpty == (group.state == .empty))
    }

    @Test func `a leader that assigns otherwise than a sync of its that came late is told to join again`() {
        var group = Self.group(.stable)
        #expect(group.apply(.sync(.sample("a", generation: 1, ["a": "1", "b": "2"]))) == .none)
        #expect(group.apply(.sync(.sample("a", generation: 1, ["a": "9"]))) == .refused(.rebalanceInProgress))
        #expect(group.apply(.sync(.sample("a", generation: 1))) == .none)
        #expect(group.apply(.sync(.sample("b", generation: 1, ["b": "9"]))) == .none)
        #expect(group.apply(.sync(.sample("a", generation: 1, ["gone": "9"]))) == .none)
        #expect(group.state == .stable)
        #expect(group.members["a"]?.assignment == ByteBuffer(string: "1"))
    }

    // MARK: Joining

    @Test func `a dynamic member that does not rejoin is dropped, a static one is kept`() {
        var group = Self.group(.stable)
        _ = group.apply(.join(.sample("s", instanceID: "i")))
        _ = group.apply(.completeJoin(generation: 1))
        #expect(group.members.keys.sorted() == ["s"])
        _ = group.apply(.join(.sample("c")))
        _ = group.apply(.completeJoin(generation: 2))
        #expect(group.members.keys.sorted() == ["c", "s"])
        #expect(group.leaderID == "c", "who did not rejoin cannot lead")
        #expect(group.members["s"]?.hasJoined == false)
    }

    @Test func `without anybody rejoined the group waits for the sessions to end`() {
        var group = ClassicGroup()
        _ = group.apply(.join(.sample("s", instanceID: "i")))
        _ = group.apply(.join(.sample("d")))
        _ = group.apply(.completeJoin(generation: 0))
        _ = group.apply(.remove(memberIDs: ["d"]))
        _ = group.apply(.completeJoin(generation: 1))
        #expect(group.state == .preparingRebalance)
        _ = group.apply(.remove(memberIDs: ["s"]))
        #expect(group.state == .empty)
    }

    @Test func `the leader stays, and the first to have joined follows it`() {
        var group = Self.group(.stable)
        for member in ["a", "b"] { _ = group.apply(.join(.known(member))) }
        _ = group.apply(.completeJoin(generation: 1))
        #expect(group.leaderID == "a")
        _ = group.apply(.remove(memberIDs: ["a"]))
        _ = group.apply(.join(.sample("c")))
        _ = group.apply(.join(.known("b")))
        _ = group.apply(.completeJoin(generation: 2))
        #expect(group.leaderID == "b")
    }

    @Test func `the protocol is the one that most members prefer among those that all support`() {
        var group = ClassicGroup()
        _ = group.apply(.join(.sample("a", protocols: ["x", "y", "z"])))
        _ = group.apply(.join(.sample("b", protocols: ["z", "y"])))
        _ = group.apply(.join(.sample("c", protocols: ["y", "z"])))
        _ = group.apply(.completeJoin(generation: 0))
        #expect(group.protocolName == "y", "x is not common; a and c vote for y, b for z")
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let name: String
        let join: ClassicJoin
        let code: ErrorCode
        var testDescription: String { name }
    }

    static let refusals: [Refusal] = [
        Refusal(name: "no protocol", join: .sample("c", protocols: []), code: .inconsistentGroupProtocol),
        Refusal(name: "no type", join: .sample("c", type: ""), code: .inconsistentGroupProtocol),
        Refusal(name: "another type", join: .sample("c", type: "connect"), code: .inconsistentGroupProtocol),
        Refusal(name: "none in common", join: .sample("c", protocols: ["q"]), code: .inconsistentGroupProtocol),
        Refusal(name: "unknown id", join: .known("x"), code: .unknownMemberID),
        Refusal(name: "unknown instance", join: .known("a", instanceID: "j"), code: .unknownMemberID),
        Refusal(name: "another's instance", join: .known("a", instanceID: "i"), code: .fencedInstanceID),
        Refusal(name: "too many", join: .sample("c", sizeMax: 3), code: .groupMaxSizeReached),
    ]

    @Test(arguments: refusals) func `joins that do not fit are refused and change nothing`(_ refusal: Refusal) {
        var group = Self.group(.preparingRebalance)
        _ = group.apply(.join(.sample("s", instanceID: "i")))
        _ = group.apply(.completeJoin(generation: 0))
        #expect(group.apply(.join(refusal.join)) == .refused(refusal.code))
        #expect(group.state == .completingRebalance)
        #expect(group.members.count == 3)
    }

    @Test func `an empty group asks for a type and a protocol too`() {
        #expect(ClassicGroup().refusal(of: .sample("a", type: "")) == .inconsistentGroupProtocol)
        #expect(ClassicGroup().refusal(of: .sample("a", protocols: [])) == .inconsistentGroupProtocol)
        #expect(ClassicGroup().refusal(of: .sample("a")) == nil)
    }

    @Test func `a member alone may change its protocols`() {
        var group = ClassicGroup()
        _ = group.apply(.join(.sample("a", protocols: ["x"])))
        #expect(group.refusal(of: .known("a", protocols: ["y"])) == nil)
    }

    // MARK: Static members

    private static func groupWithStaticMember() -> ClassicGroup {
        var group = ClassicGroup()
        _ = group.apply(.join(.sample("s1", instanceID: "i")))
        _ = group.apply(.join(.sample("d")))
        _ = group.apply(.completeJoin(generation: 0))
        _ = group.apply(.sync(.sample("s1", generation: 1, ["s1": "1", "d": "2"])))
        return group
    }

    @Test func `a static member that comes back to a stable group takes its place without a rebalance`() {
        var group = Self.groupWithStaticMember()
        let outcome = ClassicJoinOutcome(
            generation: 1, isUnchanged: true, replaced: .init(memberID: "s1", leaderID: "s1"))
        #expect(group.apply(.join(.sample("s2", instanceID: "i"))) == .joinedGroup(outcome))
        #expect(group.state == .stable)
        #expect(group.leaderID == "s2")
        #expect(group.members["s2"]?.assignment == ByteBuffer(string: "1"))
        #expect(group.members["s1"] == nil)
        #expect(group.refusal(of: GroupMemberIdentity("s1", instanceID: "i")) == .fencedInstanceID)
        #expect(group.refusal(of: GroupMemberIdentity("s2", instanceID: "i")) == nil)
    }

    @Test func `a static member that subscribes to other topics, or changes the vote, causes a rebalance`() {
        var group = Self.groupWithStaticMember()
        _ = group.apply(.join(.sample("s2", instanceID: "i", topics: ["other"])))
        #expect(group.state == .preparingRebalance)
        var voting = ClassicGroup()
        _ = voting.apply(.join(.sample("s1", instanceID: "i", protocols: ["x", "y"])))
        _ = voting.apply(.join(.sample("d", protocols: ["y", "x"])))
        _ = voting.apply(.completeJoin(generation: 0))
        _ = voting.apply(.sync(.sample("s1", generation: 1)))
        #expect(voting.protocolName == "x")
        _ = voting.apply(.join(.sample("s2", instanceID: "i", protocols: ["y", "x"])))
        #expect(voting.state == .preparingRebalance)
    }

    @Test func `a static member that comes back while the leader assigns causes a rebalance`() {
        var group = Self.groupWithStaticMember()
        _ = group.apply(.join(.known("s1", instanceID: "i")))
        _ = group.apply(.join(.known("d")))
        _ = group.apply(.completeJoin(generation: 1))
        #expect(group.state == .completingRebalance)
        _ = group.apply(.join(.sample("s2", instanceID: "i")))
        #expect(group.state == .preparingRebalance)
        #expect(group.members.keys.sorted() == ["d", "s2"])
    }

    // MARK: Checks

    @Test func `commits are taken from members of the generation, and from anybody while there are none`() {
        let member = GroupMemberIdentity("a"), nobody = GroupMemberIdentity("")
        let empty = Self.group(.empty)
        #expect(empty.refusalToCommit(nobody, generation: -1) == nil)
        #expect(empty.refusalToCommit(member, generation: 1) == .unknownMemberID)
        let stable = Self.group(.stable)
        #expect(stable.refusalToCommit(member, generation: 1) == nil)
        #expect(stable.refusalToCommit(member, generation: 0) == .illegalGeneration)
        #expect(stable.refusalToCommit(GroupMemberIdentity("x"), generation: 1) == .unknownMemberID)
        #expect(stable.refusalToCommit(nobody, generation: -1) == .unknownMemberID)
        let completing = Self.group(.completingRebalance)
        #expect(completing.refusalToCommit(member, generation: 1) == .rebalanceInProgress)
        var preparing = Self.group(.stable)
        _ = preparing.apply(.join(.sample("c")))
        #expect(preparing.refusalToCommit(member, generation: 1) == nil, "what was consumed before the rebalance")
    }

    @Test func `a subscription is read as far as its topics, and other bytes are none`() {
        #expect(ConsumerSubscription.topics(in: .subscription(to: ["a", "ß"])) == ["a", "ß"])
        #expect(ConsumerSubscription.topics(in: ByteBuffer()) == nil)
        let whole = ByteBuffer.subscription(to: ["topic"])
        for length in 0..<whole.readableBytes {
            #expect(ConsumerSubscription.topics(in: whole.getSlice(at: 0, length: length) ?? ByteBuffer()) == nil)
        }
    }
}
