"""When each owner had their last turn, also where its job is deleted; and all that a job was made of."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables, with what the jobs say."""
    op.create_table(
        "turns",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("at", sa.Float(), nullable=False),
    )
    op.create_table(
        "parents",
        sa.Column("job", sa.String(64), primary_key=True),
        sa.Column("parent", sa.String(64), primary_key=True),
    )
    op.create_index("parents_by_parent", "parents", ["parent"])
    op.execute(
        "INSERT INTO turns "
        "SELECT owner, max(started_at) FROM jobs WHERE started_at IS NOT NULL GROUP BY owner"
    )
    op.execute("INSERT INTO parents SELECT id, parent FROM jobs WHERE parent IS NOT NULL")


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("parents")
    op.drop_table("turns")
