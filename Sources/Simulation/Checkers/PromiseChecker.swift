import Basics
import Broker
import NIOCore
import Raft
import RaftCore
import SegmentLog

/// Listens to what brokers say to each other. A vote, a term or an acknowledgement is a promise: one that contradicts
/// an earlier one, of whatever life, is a violation the moment it is spoken, and so is one that the disk does not hold
/// yet (Raft paper §5.2, §5.4; thesis §9.6 for the pre-vote).
///
/// Owner: the `Experiment`. Keeps one entry for each vote given in the world.
final class PromiseChecker {
    private struct Ballot: Hashable {
        let shard: ShardID
        let term: Term
        let voter: NodeID
    }

    private struct TermOfShard: Hashable {
        let shard: ShardID
        let term: Term
    }

    private struct Speaker: Hashable {
        let id: NodeID
        let shard: ShardID
    }

    private struct Candidacy: Hashable {
        let candidate: Speaker
        let term: Term
    }

    private unowned let world: World
    private var votes: [Ballot: NodeID] = [:]
    private var newestTerm: [Speaker: Term] = [:]
    /// Who speaks as the leader of each term.
    private var leaders: [TermOfShard: NodeID] = [:]
    private var preVotes: [Candidacy: Set<NodeID>] = [:]
    /// When each peer's answer to an append request of the current term arrived last.
    private var contacts: [Speaker: [NodeID: Instant]] = [:]
    private var acknowledgements = 0

    init(_ world: World) { self.world = world }

    // MARK: Spoken

    func spoken(_ message: PeerMessage, by sender: NodeID, to peer: NodeID) {
        let speaker = Speaker(id: sender, shard: message.shard)
        switch message.message {
        case .preVoteRequest, .preVoteResponse: break
        case .voteRequest(let request):
            note(request.term, by: speaker)
            note(vote: sender, of: speaker, in: request.term)
            let count = preVotes[Candidacy(candidate: speaker, term: request.term)]?.count ?? 0
            if count + 1 < quorumSize {
                fail(speaker, "stands for election in term \(request.term) with \(count) pre-votes")
            }
        case .voteResponse(let response):
            note(response.term, by: speaker)
            if response.granted { note(vote: peer, of: speaker, in: response.term) }
        case .appendRequest(let request):
            note(request.term, by: speaker)
            leaders[TermOfShard(shard: message.shard, term: request.term)] = sender
        case .appendResponse(let response):
            note(response.term, by: speaker)
            guard case .matched(let flushed) = response.outcome else { return }
            compare(flushed, response.term, of: speaker, with: peer)
            note(acknowledged: flushed, by: speaker)
        }
    }

    /// What is acknowledged is what the leader of that term has.
    private func compare(_ index: LogIndex, _ term: Term, of speaker: Speaker, with leader: NodeID) {
        guard leaders[TermOfShard(shard: speaker.shard, term: term)] == leader else {
            return fail(speaker, "follows broker \(leader), which does not lead term \(term)")
        }
        let shard = Int(speaker.shard.rawValue)
        guard let status = world.broker(leader).broker?.shardReports[shard].status, status.role == .leader,
            status.term == term
        else { return }
        let own = world.broker(speaker.id).logs[shard], other = world.broker(leader).logs[shard]
        if index > other.lastIndex || own.term(at: index) != other.term(at: index) {
            fail(speaker, "acknowledges \(index) to broker \(leader), which has another entry there")
        }
    }

    private func note(_ term: Term, by speaker: Speaker) {
        if let newest = newestTerm[speaker], term < newest {
            fail(speaker, "speaks in term \(term) after \(newest)")
        }
        newestTerm[speaker] = term
    }

    private func note(vote candidate: NodeID, of speaker: Speaker, in term: Term) {
        let ballot = Ballot(shard: speaker.shard, term: term, voter: speaker.id)
        let known = votes.updateValue(candidate, forKey: ballot)
        if let known {
            if known != candidate { fail(speaker, "votes for \(candidate) and for \(known) in term \(term)") }
            return
        }
        guard let state = afterPowerLoss(speaker)?.hardState else { return }
        if state.term < term.rawValue || state.term == term.rawValue && state.vote != candidate.rawValue {
            fail(speaker, "votes for \(candidate) in term \(term), while its disk holds \(state)")
        }
    }

    /// Looks at the disk now and then: each look reads all of a log that has no sidecar.
    private func note(acknowledged index: LogIndex, by speaker: Speaker) {
        acknowledgements += 1
        guard acknowledgements % 128 == 0, let log = afterPowerLoss(speaker), log.lastIndex < index else { return }
        fail(speaker, "acknowledges \(index), while its disk holds entries up to \(log.lastIndex)")
    }

    /// What the speaker would start with if the power failed now and nothing unflushed survived.
    private func afterPowerLoss(_ speaker: Speaker) -> SegmentLog? {
        let node = world.broker(speaker.id)
        do {
            return try node.openCopy(of: Int(speaker.shard.rawValue), disk: node.files.afterPowerLoss())
        } catch .damaged where world.rottenDisk == speaker.id {
            return nil
        } catch {
            fail(speaker, "has a disk that could not be started from: \(error)")
            return nil
        }
    }

    // MARK: Heard

    func heard(_ message: PeerMessage, by receiver: NodeID, from sender: NodeID) {
        let listener = Speaker(id: receiver, shard: message.shard)
        switch message.message {
        case .preVoteResponse(let response) where response.granted:
            preVotes[Candidacy(candidate: listener, term: response.term), default: []].insert(sender)
        case .appendResponse: contacts[listener, default: [:]][sender] = world.scheduler.now
        default: break
        }
    }

    /// When a quorum, the leader included, had last answered it; nil if it never did.
    func quorumContact(of leader: NodeID, shard: Int) -> Instant? {
        let speaker = Speaker(id: leader, shard: ShardID(UInt16(shard)))
        let newestFirst = (contacts[speaker] ?? [:]).values.sorted(by: >)
        return newestFirst.count < quorumSize - 1 ? nil : newestFirst[quorumSize - 2]
    }

    /// The disk was replaced by an empty one: what was promised with the old one is forgotten, and nobody is to blame.
    func forget(_ id: NodeID) {
        newestTerm = newestTerm.filter { $0.key.id != id }
        votes = votes.filter { $0.key.voter != id }
    }

    private var quorumSize: Int { world.brokers.count / 2 + 1 }

    private func fail(_ speaker: Speaker, _ what: String) {
        world.fail("broker \(speaker.id), shard \(speaker.shard): \(what)")
    }
}

extension SegmentLog {
    /// Of the entry at `index`, as far as the log has it.
    func term(at index: LogIndex) -> Term? { termStarts.last { $0.0 <= index }?.1 }
}
