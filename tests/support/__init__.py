"""What tests of several rooms and the drills share."""
