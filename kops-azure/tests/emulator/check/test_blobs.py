"""The store of blobs, with Microsoft's client for it."""

import base64

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

KEY = base64.b64encode(b"key").decode()


@pytest.fixture
def store(azure):
    service = BlobServiceClient(
        f"{azure.endpoint}/_blobs/{azure.sub}", credential={"account_name": "store", "account_key": KEY}, retry_total=0
    )
    return service.create_container("state")


def test_conditional_writes(store):
    blob = store.get_blob_client("a/b.yaml")
    first = blob.upload_blob(b"one", if_none_match="*", overwrite=True)["etag"]
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"two")
    second = blob.upload_blob(b"two", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)["etag"]
    assert first != second
    with pytest.raises(ResourceModifiedError):
        blob.upload_blob(b"three", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError):
        blob.delete_blob(etag=first, match_condition=MatchConditions.IfNotModified)
    assert blob.download_blob().readall() == b"two" and blob.get_blob_properties().size == 3
    assert blob.download_blob(offset=1, length=1).readall() == b"w"
    blob.delete_blob()
    with pytest.raises(ResourceNotFoundError):
        blob.download_blob()


def test_lists(azure, store):
    azure.control("set", page_size=2)
    for name in ("a/1", "a/2", "a/b/3", "c", "d&<>"):
        store.upload_blob(name, b"x")
    assert [it.name for it in store.list_blobs()] == ["a/1", "a/2", "a/b/3", "c", "d&<>"]
    assert [it.name for it in store.walk_blobs("a/")] == ["a/1", "a/2", "a/b/"]
    assert azure.control("counts")["by_action"]["blobs.put"] == 5


def test_several_are_deleted_at_once(store):
    for name in ("a", "b/c", "d"):
        store.upload_blob(name, b"x")
    answers = list(store.delete_blobs("a", "b/c", "none", raise_on_any_failure=False))
    assert [it.status_code for it in answers] == [202, 202, 404]
    assert [it.name for it in store.list_blobs()] == ["d"]


def test_blocks_and_faults(azure, store):
    blob = store.get_blob_client("big")
    blob.upload_blob(b"x" * 3_000_000, max_concurrency=1, overwrite=True)
    data = b"ab" * 40_000_000
    blob.upload_blob(data, overwrite=True)
    assert blob.download_blob().readall() == data
    azure.control("fault", action="blobs.put", what="fail", status=503, code="ServerBusy", times=1)
    with pytest.raises(HttpResponseError):
        store.upload_blob("other", b"x")
    azure.control("fault", action="blobs.put", what="lose", times=1)
    with pytest.raises(Exception, match="closed|reset|aborted"):
        store.upload_blob("other", b"x")
    assert store.get_blob_client("other").exists()
