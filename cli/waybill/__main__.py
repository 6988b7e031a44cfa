"""python -m waybill."""

from waybill.main import main

main()
