def seed(request, sub, cluster, location="westeurope"):
    pass
