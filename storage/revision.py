"""Whether a library has changed, at the cost of one look."""

from sqlalchemy import func, select

from storage.store import Store
from storage.tables import ConversationRow, VersionRow


class Revision(Store):
    """What to compare instead of everything that could be shown."""

    def revision(self) -> str:
        """Another text once a document or a conversation was added, changed state, or was deleted
        or continued, by whatever process. No text of any document is in it."""
        # Ids of versions are never given twice, so one that goes while another comes shows too.
        versions = (
            select(VersionRow.state, func.count(), func.max(VersionRow.id))
            .group_by(VersionRow.state)
            .order_by(VersionRow.state)
        )
        conversations = select(func.count(), func.max(ConversationRow.updated_at))
        with self._reading() as session:
            rows = [*session.execute(versions), *session.execute(conversations)]
        return repr([tuple(row) for row in rows])
