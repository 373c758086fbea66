import Basics

/// Where each term of a log begins. A handful of elements, since terms change when leaders do.
struct TermStarts {
    private(set) var list: [(LogIndex, Term)] = []

    var last: Term { list.last?.1 ?? .zero }

    /// A block begins at `index`.
    mutating func note(_ index: LogIndex, _ term: Term) {
        if list.last?.1 != term { list.append((index, term)) }
    }

    /// Entries from `index` on are gone.
    mutating func cut(from index: LogIndex) {
        while let last = list.last, last.0 >= index { list.removeLast() }
    }

    /// Entries below `index` are gone.
    mutating func drop(below index: LogIndex) {
        while list.count > 1, list[1].0 <= index { list.removeFirst() }
        if let first = list.first, first.0 < index { list[0].0 = index }
    }
}
