/// An array whose first element needs no memory of its own: for what mostly has one element and is made for every
/// batch.
///
/// Inlinable, since other modules would otherwise look up its types at run time for each element.
@frozen
public struct SmallArray<Element> {
    @usableFromInline var head: Element?
    @usableFromInline var tail: [Element] = []

    /// No elements.
    @inlinable
    public init() {}

    /// The elements in their order.
    @inlinable
    public init(_ elements: some Sequence<Element>) {
        for element in elements { append(element) }
    }

    /// Puts an element behind all others.
    @inlinable
    public mutating func append(_ element: Element) {
        if head == nil { head = element } else { tail.append(element) }
    }

    /// What `transform` makes of each element, in their order; small, unlike a collection's own `map`.
    @inlinable
    public func map<Mapped>(_ transform: (Element) -> Mapped) -> SmallArray<Mapped> {
        var mapped = SmallArray<Mapped>()
        mapped.reserveCapacity(count)
        for position in 0..<count { mapped.append(transform(self[position])) }
        return mapped
    }

    @inlinable
    mutating func reserveCapacity(_ count: Int) {
        if count > 1 { tail.reserveCapacity(count - 1) }
    }
}

extension SmallArray: RandomAccessCollection, MutableCollection {
    @inlinable public var startIndex: Int { 0 }
    @inlinable public var endIndex: Int { head == nil ? 0 : tail.count + 1 }

    // Not `_read` and `_modify`: coroutines with two ends are not inlined, and then take memory for each call.
    @inlinable
    public subscript(position: Int) -> Element {
        get { position == 0 ? head! : tail[position - 1] }
        set {
            if position == 0 { head = newValue } else { tail[position - 1] = newValue }
        }
    }
}

extension SmallArray: ExpressibleByArrayLiteral {
    @inlinable
    public init(arrayLiteral elements: Element...) { self.init(elements) }
}

extension SmallArray: CustomStringConvertible {
    public var description: String { "\(Array(self))" }
}

extension SmallArray: Equatable where Element: Equatable {}
extension SmallArray: Sendable where Element: Sendable {}

extension SmallArray: WireValue where Element: WireValue {
    public static var wireType: WireType { [Element].wireType }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        guard let count = try decoder.length() else { throw .unexpectedNull }
        try decoder.charge(elements: count, of: Element.self)
        reserveCapacity(count)
        for _ in 0..<count { append(try Element(from: &decoder, nullable: false)) }
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) throws(WireError) {
        guard count <= Int(Int32.max) else { throw .invalidLength }
        encoder.writeLength(count)
        // By index: an iterator would copy each element.
        for position in 0..<count { try self[position].encode(to: &encoder, nullable: false) }
    }
}
