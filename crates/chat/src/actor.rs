//! Who asks for something.

use hither_store::{Person, PersonId, PersonKind, PersonName};
use serde::{Deserialize, Serialize};

use crate::view::PersonView;

/// Somebody who asks for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Actor {
    pub(crate) id: PersonId,
    pub(crate) name: PersonName,
    pub(crate) kind: PersonKind,
}

impl From<Person> for Actor {
    fn from(person: Person) -> Self {
        Self {
            id: person.id,
            name: person.name,
            kind: person.kind,
        }
    }
}

impl Actor {
    pub(crate) fn view(&self) -> PersonView {
        PersonView::new(&self.name, self.kind)
    }
}
