"""security events: what happened to the login of a user."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

KINDS = (
    "registered",
    "login",
    "login_failed",
    "code_failed",
    "password_changed",
    "password_reset",
    "email_changed",
    "two_factor_on",
    "two_factor_off",
    "recovery_code_used",
    "recovery_codes_renewed",
    "sessions_ended",
)


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.create_table(
        "security_event",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(22), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("user_agent", sa.String(200), nullable=False),
        sa.Column("address", sa.String(43), nullable=False),
        sa.CheckConstraint(f"kind IN {KINDS}", name=op.f("ck_security_event_kind_known")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_security_event_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_security_event")),
    )


def downgrade() -> None:
    """Go back to the former revision."""
    op.drop_table("security_event")
