"""What researchers ask for and are given: counts that tell nobody apart, and extracts that sites have approved.

To add a form of extract, add a file that writes it from `extracting.leaving`, and name it in `requests.FORMS`.
"""
