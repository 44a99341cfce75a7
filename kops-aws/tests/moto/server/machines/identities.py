"""The temporary credentials of instances' roles, and whose they are."""

import dataclasses
import datetime
import json
import secrets
import threading
import time

CREDENTIAL_SECONDS = 3600
# AWS shows new credentials at least five minutes before the old ones end.
RENEW_SECONDS = 900


@dataclasses.dataclass(frozen=True)
class Credential:
    """Credentials of a role, for one instance."""

    key: str
    secret: str = dataclasses.field(repr=False)
    token: str = dataclasses.field(repr=False)
    role: str
    role_id: str
    instance: str
    instance_arn: str
    end: float

    def principal(self):
        """The condition keys that say who asks."""
        return {"aws:userid": f"{self.role_id}:{self.instance}", "ec2:SourceInstanceARN": self.instance_arn}

    def document(self):
        """As the metadata service shows them."""
        return json.dumps(
            {
                "Code": "Success",
                "LastUpdated": moment(self.end - CREDENTIAL_SECONDS),
                "Type": "AWS-HMAC",
                "AccessKeyId": self.key,
                "SecretAccessKey": self.secret,
                "Token": self.token,
                "Expiration": moment(self.end),
            },
            indent=2,
        )


class Identities:
    """All credentials that were given out in an account and region."""

    def __init__(self, account, region):
        self.account, self.region = account, region
        self.all = {}
        self.lock = threading.Lock()

    def of(self, instance, role):
        """Credentials for an instance: those it has, as long as they are good for a while."""
        now = time.time()
        with self.lock:
            mine = [it for it in self.all.values() if (it.instance, it.role_id) == (instance.id, role.id)]
            newest = max(mine, key=lambda it: it.end, default=None)
            if newest is not None and newest.end - RENEW_SECONDS > now:
                return newest
            made = Credential(
                # The last twelve digits name the account, as with all keys here.
                key=f"ASIA{secrets.token_hex(4).upper()}{self.account}",
                secret=secrets.token_urlsafe(30),
                token=secrets.token_urlsafe(120),
                role=role.name,
                role_id=role.id,
                instance=instance.id,
                instance_arn=f"arn:aws:ec2:{self.region}:{self.account}:instance/{instance.id}",
                end=now + CREDENTIAL_SECONDS,
            )
            self.all[made.key] = made
            return made

    def holder(self, key):
        """The credential of an access key, while it is good."""
        found = self.all.get(key)
        return found if found and found.end > time.time() else None


def moment(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
