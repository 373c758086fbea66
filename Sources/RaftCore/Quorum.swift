/// Majorities of a fixed set of voters.
enum Quorum {
    /// How many of `voters` make a majority.
    static func size(voters: Int) -> Int { voters / 2 + 1 }

    /// The greatest value that a majority of the voters has reached: the voters are the owner of `own` and its `peers`.
    ///
    /// Compares every pair instead of sorting, because it runs for each answer of each follower and must not allocate;
    /// clusters have three to seven voters.
    static func reached<Value: Comparable>(own: Value, peers: some Collection<Value>) -> Value {
        let size = size(voters: peers.count + 1)
        func isReached(_ value: Value) -> Bool {
            var count = own >= value ? 1 : 0
            for peer in peers where peer >= value { count += 1 }
            return count >= size
        }
        var best: Value? = isReached(own) ? own : nil
        for value in peers where isReached(value) {
            best = best.map { max($0, value) } ?? value
        }
        // The smallest of all values is reached by every voter, so there is always one.
        return best ?? own
    }
}
