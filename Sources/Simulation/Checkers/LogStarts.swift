import KafkaWire

/// Where each lane begins: at least where an acknowledged deletion of records put it, at most where somebody asked for.
///
/// Owner: the `History`. Deletions are asked for by a topic's name; a name that was used so is not used for another
/// topic afterwards (`History.pin`), so that no deletion can meet a lane that it was not meant for.
final class LogStarts {
    /// Stands for all there is.
    static let everything: Int64 = -1

    private unowned let world: World
    private var asked: [Lane: Int64] = [:]
    /// With the newest term of any leader at that moment.
    private var acknowledged: [Lane: [(term: Int32, start: Int64)]] = [:]
    /// Deletions of all there is whose answer did not come: they may have gone as far as the lane did.
    private var unbounded: [Lane: Int] = [:]

    init(in world: World) { self.world = world }

    /// No record below it may be given out to whoever asks from now on. A leader of an earlier term may not know of the
    /// deletion, nor that it was deposed, as one that was stopped meanwhile.
    func least(_ lane: Lane, epoch: Int32 = .max) -> Int64 {
        acknowledged[lane]?.filter { $0.term <= epoch }.map(\.start).max() ?? 0
    }

    /// No record from it on may be missing.
    func most(_ lane: Lane) -> Int64 { unbounded[lane, default: 0] > 0 ? .max : asked[lane] ?? 0 }

    /// Somebody asks for the deletion of all before an offset, or of everything.
    func ask(_ lane: Lane, before offset: Int64) {
        if offset == Self.everything {
            unbounded[lane, default: 0] += 1
        } else {
            asked[lane] = max(offset, asked[lane] ?? 0)
        }
    }

    /// The deletion was acknowledged, with where the lane begins now.
    func acknowledge(_ lane: Lane, before offset: Int64, start: Int64) {
        if offset == Self.everything { unbounded[lane, default: 0] -= 1 }
        if start < offset { world.failPromise("\(lane): begins at \(start) after a deletion before \(offset)") }
        // An earlier request, whose answer did not come, may have deleted more than this one.
        if offset == Self.everything { asked[lane] = max(start, asked[lane] ?? 0) }
        if start > most(lane) { world.failPromise("\(lane): begins at \(start), deleted was up to \(most(lane))") }
        acknowledged[lane, default: []].append((world.newestTerm, start))
    }

    /// The deletion was refused, and not carried out.
    func refuse(_ lane: Lane, before offset: Int64) {
        if offset == Self.everything { unbounded[lane, default: 0] -= 1 }
    }

    /// A leader told where a lane begins.
    ///
    /// - Parameter least: as it was when the leader was asked.
    func check(_ start: Int64, of lane: Lane, least: Int64) {
        if start < least {
            world.failPromise("\(lane): a leader lets it begin at \(start), deleted is all before \(least)")
        }
        if start > most(lane) {
            world.failPromise("\(lane): a leader lets it begin at \(start), deletions were asked up to \(most(lane))")
        }
    }
}
