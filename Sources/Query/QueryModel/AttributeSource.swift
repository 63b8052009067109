package import Core
package import Scheduling

/// Which attributes are asked for, to complete what somebody writes.
package struct AttributeNamesQuery: Sendable {
    package var scopes: AttributeScopes
    /// The names begin with it.
    package var prefix: String
    /// As stored; nil: of any.
    package var service: String?
    /// What parts hold whose times touch it: more than the range itself, by an hour at most.
    package var range: TimeRange
    package var limit: Int

    package init(
        scopes: AttributeScopes = .everywhere, prefix: String = "", service: String? = nil, range: TimeRange, limit: Int
    ) {
        self.scopes = scopes
        self.prefix = prefix
        self.service = service
        self.range = range
        self.limit = limit
    }
}

/// A name that attributes in one scope have.
package struct AttributeName: Hashable, Sendable {
    package var name: String
    /// One of them.
    package var scope: AttributeScopes

    package init(name: String, scope: AttributeScopes) {
        self.name = name
        self.scope = scope
    }
}

/// Which values of one attribute are asked for.
package struct AttributeValuesQuery: Sendable {
    package var name: String
    /// Those of the other fields have the same meaning; the prefix is of the values' texts.
    package var names: AttributeNamesQuery

    package init(name: String, _ names: AttributeNamesQuery) {
        self.name = name
        self.names = names
    }
}

/// A value, whose text is its textual form (`AttributeValue.text`).
package struct AttributeValueText: Hashable, Sendable {
    package enum ValueType: String, Hashable, Sendable { case string, int, double, bool }

    package var text: String
    package var type: ValueType

    package init(text: String, type: ValueType) {
        self.text = text
        self.type = type
    }
}

/// Some answers, and whether there are no others.
package struct Completions<Element: Sendable>: Sendable {
    package var found: [Element]
    /// False if there were more than were asked for, or not all could be looked at.
    package var isComplete: Bool

    package init(found: [Element], isComplete: Bool) {
        self.found = found
        self.isComplete = isComplete
    }
}

/// Where names and values of attributes come from: lists of what is stored, not the rows.
package protocol AttributeSource: Sendable {
    /// Sorted by name, then by scope; each once.
    func attributeNames(
        _ query: AttributeNamesQuery, context: QueryContext
    ) throws(QueryError) -> Completions<AttributeName>

    /// Sorted by text, then by type; each once. Lists, maps, bytes and very long texts are left out.
    func attributeValues(
        _ query: AttributeValuesQuery, context: QueryContext
    ) throws(QueryError) -> Completions<AttributeValueText>
}
