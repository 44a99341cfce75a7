"""More of `repairs.py`: launch templates, auto scaling groups and what they make."""

from moto.autoscaling import models, responses
from moto.autoscaling.exceptions import ValidationError
from moto.core.responses import EmptyResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.responses.monitoring import Monitoring
from moto.ec2.utils import parse_user_data
from moto.elbv2.exceptions import DuplicateLoadBalancerName
from moto.elbv2.models import ELBv2Backend, FakeTargetGroup

from repairs import replace

# ---------------------------------------------------------------- launch templates


@replace(LaunchTemplates, "create_launch_template_version")
def user_data_of_versions(original, self):
    """moto reads the user data of a template's first version and forgets to of all others; a group that uses such
    a version answers 500."""
    get = self._get_param

    def get_parsed(name, *args, **kwargs):
        value = get(name, *args, **kwargs)
        if name == "LaunchTemplateData" and value:
            value["UserData"] = parse_user_data(get("LaunchTemplateData.UserData"))
        return value

    self._get_param = get_parsed
    try:
        return original(self)
    finally:
        del self._get_param


@replace(LaunchTemplates, "create_launch_template")
def tags_of_templates(original, self):
    """moto adds the template's own tags to those that the template gives to machines."""
    parse = self._parse_tag_specification
    data = self._get_param("LaunchTemplateData", {}).get("TagSpecifications")
    before = list(data) if data else None

    result = original(self)
    name = self._get_param("LaunchTemplateName")
    version = self.ec2_backend.get_launch_template_by_name(name).versions[0]
    if parse():
        version.data.pop("TagSpecifications", None)
        if before:
            version.data["TagSpecifications"] = before
    return result


# ---------------------------------------------------------------- groups

# What moto does not keep of a group.
KEPT = {"MaxInstanceLifetime": "max_instance_lifetime", "CapacityRebalance": "capacity_rebalance"}


def keep(self):
    group = self.autoscaling_backend.autoscaling_groups.get(self._get_param("AutoScalingGroupName"))
    for parameter, attribute in KEPT.items():
        value = self._get_param(parameter)
        if value is not None:
            setattr(group, attribute, value or None if attribute == "max_instance_lifetime" else value)


class AlreadyExists(ValidationError):
    code = "AlreadyExists"


@replace(responses.AutoScalingResponse, "create_auto_scaling_group")
def settings_of_new_groups(original, self):
    """moto also makes a second group of the same name, and loses the first one with its machines running."""
    name = self._get_param("AutoScalingGroupName")
    if name in self.autoscaling_backend.autoscaling_groups:
        raise AlreadyExists(f"AutoScalingGroup by this name already exists - {name}")
    result = original(self)
    keep(self)
    return result


@replace(responses.AutoScalingResponse, "update_auto_scaling_group")
def settings_of_groups(original, self):
    """moto also forgets the mixed policy in an update that does not name it, and takes the launch template for
    missing in one that names neither."""
    result = original(self)
    keep(self)
    return result


def one_template(self):
    """moto shows the template of a mixed group twice; AWS shows it in the policy alone."""
    if self.ec2_launch_template is None or self.mixed_instances_policy:
        return None
    return {
        "LaunchTemplateId": self.ec2_launch_template.id,
        "LaunchTemplateName": self.ec2_launch_template.name,
        "Version": self.provided_launch_template_version,
    }


models.FakeAutoScalingGroup.launch_template = property(one_template)


@replace(models.InstanceState, "__init__")
def version_of_machines(original, self, *args, **kwargs):
    """moto shows the template's default version for every machine; AWS the one it was made from."""
    original(self, *args, **kwargs)
    group = self.auto_scaling_group
    if group is not None and group.ec2_launch_template is not None:
        version = group.ec2_launch_template.get_version(group.launch_template_version)
        self.made_from = {
            "LaunchTemplateId": group.ec2_launch_template.id,
            "LaunchTemplateName": group.ec2_launch_template.name,
            "Version": str(version.number),
        }


models.InstanceState.launch_template = property(lambda self: getattr(self, "made_from", None))


@replace(responses.AutoScalingResponse, "delete_auto_scaling_group")
def force_delete(original, self):
    """moto keeps machines that are protected, although a forced deletion ends them, and the group's hooks."""
    backend, name = self.autoscaling_backend, self._get_param("AutoScalingGroupName")
    group = backend.autoscaling_groups.get(name)
    if group is not None:
        for state in group.instance_states:
            state.protected_from_scale_in = False
        for key in [key for key, hook in backend.lifecycle_hooks.items() if hook.auto_scaling_group_name == name]:
            del backend.lifecycle_hooks[key]
    return original(self)


@replace(responses.AutoScalingResponse, "put_lifecycle_hook")
def metadata_of_hooks(original, self):
    """moto drops what is to be told to whoever is notified."""
    result = original(self)
    key = f"{self._get_param('AutoScalingGroupName')}_{self._get_param('LifecycleHookName')}"
    hook = self.autoscaling_backend.lifecycle_hooks[key]
    hook.notification_metadata = self._get_param("NotificationMetadata")
    # Nobody is, unless the call says so.
    hook.notification_target_arn = self._get_param("NotificationTargetARN")
    hook.role_arn = self._get_param("RoleARN")
    return result


@replace(models.FakeAutoScalingGroup, "enable_metrics_collection")
def further_metrics(original, self, metrics):
    """moto collects those of the last call only."""
    return original(self, sorted({*self.metrics, *(metrics or [])}))


def disable_metrics_collection(self):
    """moto knows only how to enable it. AWS: without names, all metrics."""
    group = self.autoscaling_backend.describe_auto_scaling_groups([self._get_param("AutoScalingGroupName")])[0]
    disabled = self._get_param("Metrics") or group.metrics
    group.metrics = [metric for metric in group.metrics if metric not in disabled]
    return EmptyResult()


responses.AutoScalingResponse.disable_metrics_collection = disable_metrics_collection


@replace(models.AutoScalingBackend, "notify_terminate_instances")
def replacements_are_targets(original, self, instance_ids):
    """moto registers the machine that replaces another with classic load balancers only."""
    original(self, instance_ids)
    for name in self.autoscaling_groups:
        self.update_attached_target_groups(name)


# ---------------------------------------------------------------- load balancers and targets


@replace(ELBv2Backend, "create_load_balancer")
def load_balancers_have_names_of_their_own(original, self, **settings):
    """moto makes another one of the same name. AWS answers with the one that is there if it has the same settings,
    and refuses the name if not."""
    there = next((it for it in self.load_balancers.values() if it.name == settings["name"]), None)
    if there is None:
        return original(self, **settings)
    if there.scheme != settings["scheme"] or there.type != settings["loadbalancer_type"]:
        raise DuplicateLoadBalancerName()
    return there


@replace(FakeTargetGroup, "deregister")
def targets_that_are_gone(original, self, targets):
    """moto refuses to deregister what is not registered. AWS: the call succeeds."""
    return original(self, [target for target in targets if target["Id"] in self.targets])


# ---------------------------------------------------------------- machines


@replace(InstanceBackend, "run_instances")
def firewalls_of_templates(original, self, image_id, count, user_data, groups, **settings):
    """moto takes the firewalls of a template, and forgets those of the interfaces in it."""
    template = settings.get("launch_template")
    if template and not groups and not settings.get("security_group_ids") and not settings.get("nics"):
        interfaces = self._get_template_from_args(template).data.get("NetworkInterfaces") or []
        settings["security_group_ids"] = [group for nic in interfaces[:1] for group in nic.get("Groups", [])]
    return original(self, image_id, count, user_data, groups, **settings)


@replace(Instance, "prep_nics")
def firewalls_of_interfaces(original, self, nic_spec, *args, **kwargs):
    """moto shows as the firewalls of a machine those of the call, not those of its first interface."""
    result = original(self, nic_spec, *args, **kwargs)
    if not self.security_groups and 0 in self.nics:
        self.security_groups = list(self.nics[0].group_set)
    return result


@replace(Instance, "prep_nics")
def interfaces_go_with_their_machine(original, self, nic_spec, *args, **kwargs):
    """moto leaves the network interfaces behind that it made for a machine, unless the call says that they go.
    AWS takes those along that the call does not say stay."""
    nic_spec = nic_spec or []
    kept = {int(nic["DeviceIndex"]) for nic in nic_spec if nic.get("NetworkInterfaceId")}
    stay = {int(nic["DeviceIndex"]) for nic in nic_spec if nic.get("DeleteOnTermination") is False}
    result = original(self, nic_spec, *args, **kwargs)
    for index, nic in self.nics.items():
        if index not in kept | stay:
            nic.delete_on_termination = True
    return result


@replace(Instance, "terminate")
def addresses_of_machines_that_end_are_free(original, self):
    """moto leaves an elastic address with the machine that has ended. AWS: it is associated with nothing then."""
    state = original(self)
    for address in self.ec2_backend.addresses:
        if address.association_id and (address.instance is self or address.eni in self.nics.values()):
            self.ec2_backend.disassociate_address(association_id=address.association_id)
    return state


def monitoring(state):
    """moto has the setting, and no call to change it."""

    def call(self):
        for machine in self._get_param("InstanceIds", []):
            self.ec2_backend.get_instance(machine).monitoring_state = state
        return EmptyResult()

    return call


Monitoring.monitor_instances = monitoring("enabled")
Monitoring.unmonitor_instances = monitoring("disabled")


@replace(Instance, "add_block_device")
def disks_take_the_place_of_the_images(original, self, size, device_path, *args, **kwargs):
    """moto makes the image's disk and then another one of the same device, and loses the first."""
    former = self.block_device_mapping.get(device_path)
    if former is not None:
        self.ec2_backend.detach_volume(former.volume_id, self.id, device_path)
        self.ec2_backend.delete_volume(former.volume_id)
    return original(self, size, device_path, *args, **kwargs)


@replace(EBSBackend, "attach_volume")
def attach_what_is_free(original, self, volume_id, instance_id, device_path, *args, **kwargs):
    """moto also attaches a volume that another machine has, in another zone, or where there is one already."""
    volume, machine = self.get_volume(volume_id), self.get_instance(instance_id)
    if volume.attachment is not None:
        raise EC2ClientError("VolumeInUse", f"{volume_id} is already attached to an instance")
    if machine.state not in ("pending", "running", "stopping", "stopped"):
        raise EC2ClientError("IncorrectState", f"Instance '{instance_id}' is not 'running'.")
    if volume.zone.name != machine.placement.zone:
        message = f"The volume '{volume_id}' is not in the same availability zone as instance '{instance_id}'"
        raise EC2ClientError("InvalidVolume.ZoneMismatch", message)
    if device_path in machine.block_device_mapping:
        message = f"Invalid value '{device_path}' for unixDevice. Attachment point {device_path} is already in use"
        raise EC2ClientError("InvalidParameterValue", message)
    return original(self, volume_id, instance_id, device_path, *args, **kwargs)


@replace(Subnet, "get_available_subnet_ip")
def addresses_rest(original, self, instance):
    """moto gives out an address again as soon as it is free. AWS may; but whoever relies on that is wrong there."""
    free, self._unused_ips = self._unused_ips, set()
    try:
        return original(self, instance)
    except StopIteration:
        self._unused_ips = free
        free = set()
        return original(self, instance)
    finally:
        self._unused_ips |= free
