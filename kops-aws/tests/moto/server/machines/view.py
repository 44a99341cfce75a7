"""moto's own objects of one account and region. Whoever looks holds the harness's lock."""

from moto.backends import get_backend

GLOBAL = ("iam", "route53", "s3")
# The states in which an instance has an address.
ALIVE = ("pending", "running")


class View:
    def __init__(self, account, region):
        self.account, self.region = account, region

    def __getattr__(self, service):
        """The backend of a service, e.g. `view.ec2`."""
        return get_backend(service)[self.account]["aws" if service in GLOBAL else self.region]

    def instances(self):
        return self.ec2.all_instances()

    def template(self, instance):
        """The data of the launch template that an instance was made from; empty if it was made without."""
        tags = self.ec2.tags.get(instance.id, {})
        template = self.ec2.launch_templates.get(tags.get("aws:ec2launchtemplate:id"))
        return template.get_version(tags["aws:ec2launchtemplate:version"]).data if template else {}

    def profile(self, instance):
        """An instance's profile. moto associates the one that a call names, and forgets that of a template."""
        association = self.ec2.iam_instance_profile_associations.get(instance.id)
        if association is not None:
            return association.iam_instance_profile
        wanted = self.template(instance).get("IamInstanceProfile") or {}
        profiles = self.iam.instance_profiles.values()
        return next((it for it in profiles if wanted.get("Name") == it.name or wanted.get("Arn") == it.arn), None)

    def role(self, name):
        return next((role for role in self.iam.roles.values() if role.name == name), None)

    def tags(self, identifier):
        return self.ec2.tags.get(identifier, {})

    def has_object(self, bucket, key):
        found = self.s3.buckets.get(bucket)
        return found is not None and found.keys.get(key) is not None
