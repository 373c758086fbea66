import KafkaWire

/// What answers to fetches say about where lanes begin and end.
extension History {
    /// - Parameters:
    ///   - answer: without an error, or `OFFSET_OUT_OF_RANGE`.
    ///   - offset: what was asked for.
    ///   - least: the acknowledged beginning when it was asked for.
    func check(rangeOf answer: FetchResponse.Partition, _ lane: Lane, asked offset: Int64, least: Int64) {
        guard !isDeleted(lane) else { return }
        starts.check(answer.logStartOffset, of: lane, least: least)
        if answer.errorCode == .none, offset < least {
            world.failPromise("\(lane) offset \(offset) is given out, deleted is all before \(least)")
        }
        if answer.errorCode == .offsetOutOfRange, offset >= answer.logStartOffset, offset <= answer.highWatermark {
            world.failPromise(
                "\(lane) offset \(offset) is out of range, which is \(answer.logStartOffset)...\(answer.highWatermark)")
        }
    }
}
