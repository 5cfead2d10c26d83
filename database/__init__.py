"""The database handle and the declarative base."""

import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase

from database.types import Money, UTCDateTime

__all__ = ["Base", "Money", "UTCDateTime", "db"]


class Base(DeclarativeBase):
    """Declarative base. Every constraint has a name, which migrations need to find it."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# After a commit, objects keep their values: loading them again would wait for the write lock once more.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
