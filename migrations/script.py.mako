"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Go from the former revision to this one."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Go back to the former revision."""
    ${downgrades if downgrades else "pass"}
